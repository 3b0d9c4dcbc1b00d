// A mesh that `ambit up` runs for the demo, and ways to look at it from outside.
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NAME = 'demo';
const MAX_CAPTURE_BYTES = 256 * 1024 * 1024;

/** Waits until `look` gives something, and returns it; fails with `what` after `timeoutMs`. */
export async function until(what, timeoutMs, look) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`not seen in ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export class DemoMesh {
  #root = mkdtempSync(join(tmpdir(), 'ambit-demo-'));
  #ambit;
  #process;
  #output = '';
  /** Commands that go on until the end. */
  #companions = new Set();
  #home;
  #ended;

  /** @param home the checkout; @param example folder of manifests, which is copied */
  constructor(home, example) {
    this.#home = home;
    this.#ambit = join(home, 'bin/ambit');
    this.manifests = join(this.#root, 'manifests');
    cpSync(example, this.manifests, { recursive: true });
    mkdirSync(join(this.#root, 'run'), { mode: 0o700 });
  }

  get #environment() {
    return { ...process.env, XDG_RUNTIME_DIR: join(this.#root, 'run') };
  }

  get #runFolder() {
    return join(this.#root, 'run/ambit', NAME);
  }

  /** Starts it; resolves when every pod is ready. */
  async up(nodes, variables) {
    const args = ['up', this.manifests, '--nodes', String(nodes), '--name', NAME, '--quiet'];
    this.#process = this.#spawn(args, { ...this.#environment, ...variables });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', (chunk) => {
        this.#output += chunk;
      });
    }
    this.#ended = new Promise((resolve) => this.#process.once('exit', resolve));
    await until('all pods ready', 40_000, () => {
      if (this.#process.exitCode !== null) throw new Error(`ambit up ended: ${this.#output}`);
      const { pods = [] } = this.state();
      return pods.length > 0 && pods.every(({ ready }) => ready);
    });
  }

  /** Whatever becomes of the demo, the command does not outlive it. */
  #spawn(args, env) {
    return spawn('setpriv', ['--pdeathsig', 'TERM', '--', this.#ambit, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
  }

  /** Copies a folder of manifests to those that are in force. */
  add(example) {
    cpSync(join(this.#home, example), join(this.manifests, basename(example)), { recursive: true });
  }

  /** What the mesh says about itself. */
  state() {
    try {
      return JSON.parse(readFileSync(join(this.#runFolder, 'state.json'), 'utf8'));
    } catch {
      return {};
    }
  }

  /** Runs a command in a pod; resolves with its output and exit status. */
  exec(namespace, pod, ...command) {
    return this.#enter(['-n', namespace, pod, '--', ...command]);
  }

  /** Starts a command in a pod that goes on until the mesh ends. */
  keepRunning(namespace, pod, ...command) {
    this.#keep(
      this.#spawn(['exec', '--name', NAME, '-n', namespace, pod, '--', ...command], this.#environment),
    ).resume();
  }

  /** Starts a dashboard. @returns its address, and how to stop it */
  async dashboard() {
    const child = this.#spawn(['dashboard', '--name', NAME], this.#environment);
    let said = '';
    this.#keep(child).on('data', (chunk) => {
      said += chunk;
    });
    const address = await until('the address of the dashboard', 10_000, () => /http:\S+/.exec(said)?.[0]);
    return { address, stop: () => child.kill('SIGTERM') };
  }

  /** What is there of its output is the caller's. */
  #keep(child) {
    this.#companions.add(child);
    child.once('exit', () => this.#companions.delete(child));
    child.stderr.resume();
    return child.stdout;
  }

  /** Runs a command of a person about the mesh. */
  ambit(command, ...args) {
    return this.#run([command, ...args, '--name', NAME]);
  }

  /** Runs a command in the network of a node. */
  onNode(node, ...command) {
    return this.#enter(['--node', node, '--', ...command]);
  }

  #enter(args, options = {}) {
    return this.#run(['exec', '--name', NAME, ...args], options);
  }

  async #run(args, options = {}) {
    const settings = { env: this.#environment, timeout: 30_000, maxBuffer: MAX_CAPTURE_BYTES, ...options };
    try {
      const { stdout, stderr } = await run(this.#ambit, args, settings);
      return { status: 0, stdout, stderr };
    } catch (error) {
      return { status: error.code ?? 1, stdout: error.stdout ?? '', stderr: error.stderr ?? '' };
    }
  }

  /** Records what crosses the network card of a node for some seconds, as pcap. */
  async capture(node, seconds) {
    const script = join(import.meta.dirname, 'capture.py');
    const args = ['--node', node, '--', 'python3', script, 'eth0', String(seconds)];
    const { status, stdout, stderr } = await this.#enter(args, { encoding: 'buffer' });
    if (status !== 0) throw new Error(`nothing can be recorded on ${node}: ${stderr}`);
    return stdout;
  }

  /** Lines of the logs whose file name matches. */
  logLines(pattern) {
    const folder = join(this.#runFolder, 'logs');
    const files = existsSync(folder) ? readdirSync(folder).filter((file) => pattern.test(file)) : [];
    return files.flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean));
  }

  /** Ends when the mesh does. */
  get ended() {
    return this.#ended;
  }

  /** Ends the mesh and checks that nothing of it is left. */
  async down() {
    for (const child of this.#companions) child.kill('SIGTERM');
    if (this.#process !== undefined) {
      if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM');
      await this.#ended;
    }
    const left = existsSync(this.#runFolder);
    rmSync(this.#root, { recursive: true, force: true });
    if (left) throw new Error(`ambit up left ${this.#runFolder} behind`);
  }
}
