import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nativeAddon, type OpenSocketOptions } from '../../../src/native/addon.ts';
import {
  closeFd,
  localEndpoint,
  netnsId,
  openTcpSocket,
  openUdpSocket,
  raiseFileLimit,
  setSocketOptions,
} from '../../../src/native/sockets.ts';
import { openSocketCount } from '../../helpers/open-descriptors.ts';

const LOOPBACK = { address: '127.0.0.1', port: 0 };

describe('native sockets', () => {
  it('reports the port the kernel chose', () => {
    const fd = openTcpSocket({ family: 4, bind: LOOPBACK, listenBacklog: 1 });
    const { address, port } = localEndpoint(fd);
    assert.equal(address, '127.0.0.1');
    assert.ok(port > 0);
    closeFd(fd);
  });

  it('says that an address is in use, and leaves no descriptor behind', () => {
    const fd = openTcpSocket({ family: 4, bind: LOOPBACK, listenBacklog: 1 });
    const before = openSocketCount();
    assert.throws(() => openTcpSocket({ family: 4, bind: localEndpoint(fd), listenBacklog: 1 }), {
      code: 'NATIVE_ADDRESS_IN_USE',
    });
    assert.equal(openSocketCount(), before);
    closeFd(fd);
  });

  it('shares a UDP port with SO_REUSEPORT', () => {
    const first = openUdpSocket({ family: 6, bind: { address: '::1', port: 0 }, reusePort: true });
    const second = openUdpSocket({ family: 6, bind: localEndpoint(first), reusePort: true });
    assert.deepEqual(localEndpoint(first), localEndpoint(second));
    assert.ok(localEndpoint(first).port > 0);
    closeFd(first);
    closeFd(second);
  });

  it('throws a TypeError that names an option of the wrong type', () => {
    const bad: [string, unknown][] = [
      ['family', { family: 5 }],
      ['mark', { family: 4, mark: '5' }],
      ['mark', { family: 4, mark: 1.5 }],
      ['bind', { family: 4, bind: { address: '::1', port: 1 } }],
      ['bind', { family: 4, bind: { address: '127.0.0.1', port: 65536 } }],
      ['transparent', { family: 4, transparent: 'maybe' }],
      ['keepAlive', { family: 4, keepAlive: { idleSec: 1 } }],
      ['options', undefined],
    ];
    for (const [name, options] of bad) {
      assert.throws(() => openTcpSocket(options as OpenSocketOptions), {
        name: 'TypeError',
        message: new RegExp(name),
      });
    }
  });

  it('refuses a descriptor that is no network namespace', () => {
    const file = openSync('/dev/null', 'r');
    assert.throws(() => openTcpSocket({ family: 4, netnsFd: file }), { code: 'NATIVE_BAD_NETNS' });
    closeSync(file);
  });

  it('tells namespaces apart without the addon', () => {
    const fd = openSync('/proc/self/ns/net', 'r');
    const { dev, ino } = statSync('/proc/self/ns/net', { bigint: true });
    assert.deepEqual(netnsId(fd), { dev, ino });
    closeSync(fd);
  });

  it('knows no address of a descriptor that is closed', () => {
    const fd = openTcpSocket({ family: 4 });
    closeFd(fd);
    assert.throws(() => localEndpoint(fd), { code: 'NATIVE_FAILED' });
  });

  it('sets options of open sockets, and says when the descriptor is gone', () => {
    const fd = openTcpSocket({ family: 4 });
    setSocketOptions(fd, { noDelay: true, userTimeoutMs: 1000, keepAlive: { idleSec: 5, intervalSec: 5, probes: 3 } });
    assert.throws(() => setSocketOptions(fd, { keepAlive: { idleSec: -1, intervalSec: 5, probes: 3 } }), {
      code: 'NATIVE_FAILED',
    });
    closeFd(fd);
    assert.throws(() => setSocketOptions(fd, { noDelay: true }), { code: 'NATIVE_FAILED' });
  });

  it('raises the limit of open files to the hard limit', () => {
    const limit = raiseFileLimit();
    const shown = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
    assert.equal(shown, `${limit}`);
  });

  it('ends with a thread that is stopped in the middle of a call', () => {
    const script = fileURLToPath(new URL('../../helpers/ended-in-the-addon.ts', import.meta.url));
    assert.equal(execFileSync(process.execPath, [script], { encoding: 'utf8' }), 'survived\n');
  });

  it('loads once per thread', () => {
    assert.equal(nativeAddon(), nativeAddon());
  });

  it('names the build command when the addon is missing, and only when it is used', () => {
    const folder = mkdtempSync(join(tmpdir(), 'no-addon-'));
    cpSync(new URL('../../../src', import.meta.url).pathname, join(folder, 'src'), { recursive: true });
    const script = `
      import { openTcpSocket, netnsId } from '${folder}/src/native/sockets.ts';
      try { openTcpSocket({ family: 4 }); } catch (error) { console.log(error.code, error.message); }`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    assert.match(output, /^NATIVE_ADDON_MISSING .*make build/);
  });
});
