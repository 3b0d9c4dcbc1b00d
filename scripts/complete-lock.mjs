// Adds to package-lock.json the packages of other platforms that a registry mirror did not offer when the lock was
// written: `npm ci` refuses a lock without them, and never fetches one that is not for the platform it runs on.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'package-lock.json';
const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const PROCESSORS = {
  x64: 'x64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm32: 'wasm32',
};

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
const versionOf = (range) => range.replace(/^[\^~]/, '');

function platformOf(name) {
  const words = name.split(/[/-]/);
  const cpu = words.map((word) => PROCESSORS[word]).find(Boolean);
  return { os: words.filter((word) => SYSTEMS.includes(word)), cpu: cpu === undefined ? [] : [cpu] };
}

let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${path === '' ? '' : `${path}/`}node_modules/${name}`;
    const hoisted = `node_modules/${name}`;
    if (lock.packages[nested] !== undefined || lock.packages[hoisted] !== undefined) continue;
    const { os, cpu } = platformOf(name);
    if (os.length === 0 && cpu.length === 0)
      throw new Error(`${name} of ${path} is in no lock entry and names no platform`);
    lock.packages[hoisted] = {
      version: versionOf(range),
      ...(os.length > 0 && { os }),
      cpu,
      ...(entry.dev && { dev: true }),
      optional: true,
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} packages of other platforms added`);
