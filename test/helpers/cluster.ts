/** The cluster that scripts/cluster brought up: kubectl, commands inside nodes, captures on their links. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { WireCapture } from './wire-capture.ts';

const SCRIPTS = new URL('../../scripts/cluster/', import.meta.url).pathname;
const AMBIT = new URL('../../bin/ambit', import.meta.url).pathname;
const OUTPUT_BYTES = 64 * 1024 * 1024;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(file: string, args: readonly string[], input = '', timeoutMs = 120_000): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** kubectl's output. Rejects with what it says when it fails. */
export async function kubectl(args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await run(`${SCRIPTS}kubectl.sh`, args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/** An object or a list as kubectl prints it in JSON. */
export async function kubectlJson<T = Record<string, unknown>>(args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl([...args, '-o', 'json'])) as T;
}

/** Applies objects; each is a plain object or a text of YAML. */
export function apply(...objects: readonly (object | string)[]): Promise<string> {
  const text = objects.map((object) => (typeof object === 'string' ? object : JSON.stringify(object))).join('\n---\n');
  return kubectl(['apply', '-f', '-'], text);
}

/** The `ambit` command on the cluster. */
export async function ambit(args: readonly string[], timeoutMs = 300_000): Promise<CommandResult> {
  const kubeconfig = (await run('sh', ['-c', `. ${SCRIPTS}env.sh; kubeconfig_path`, `${SCRIPTS}up.sh`])).stdout.trim();
  return run(AMBIT, [...args, '--kubeconfig', kubeconfig], '', timeoutMs);
}

/** Runs a command inside a node. Rejects when it fails. */
export async function nodeExec(node: string, command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(`${SCRIPTS}node-exec.sh`, [node, ...command]);
  if (code !== 0) throw new Error(`${node}: ${command.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/** Turns a node off and on again. Returns when its kubelet has been started. */
export async function rebootNode(node: string): Promise<void> {
  const { code, stdout, stderr } = await run(`${SCRIPTS}reboot-node.sh`, [node]);
  if (code !== 0) throw new Error(`the reboot of ${node}: ${stderr}${stdout}`);
}

/** The nodes that run pods, by name. */
export async function nodeNames(): Promise<readonly string[]> {
  const nodes = await kubectl(['get', 'nodes', '-l', '!node-role.kubernetes.io/control-plane', '-o', 'name']);
  return nodes
    .trim()
    .split('\n')
    .map((name) => name.replace('node/', ''))
    .sort();
}

/** Captures on the link of a node to the others. */
export async function captureOnNode(node: string, markers: readonly string[], filter = 'tcp'): Promise<WireCapture> {
  const route = await nodeExec(node, ['ip', '-o', 'route', 'show', 'default']);
  const link = / dev (\S+)/.exec(route)?.[1] ?? 'eth0';
  const netns = (await run(`${SCRIPTS}node-netns.sh`, [node])).stdout.trim();
  return WireCapture.start({ netns, link, filter, markers });
}

/** Waits until a question has an answer. @param what for the message when it never has */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
  everyMs = 250,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    await delay(everyMs);
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}${last === undefined ? '' : ` (${String(last)})`}`);
}

/** Runs a program in a pod and gives its output; rejects when it fails. */
export function podExec(namespace: string, pod: string, command: readonly string[]): Promise<string> {
  return kubectl(['exec', '-n', namespace, pod, '--', ...command]);
}

/** Waits until all pods of a namespace are ready, or have done what they were for. */
export async function podsReady(namespace: string, timeoutSec = 120): Promise<void> {
  await until(
    `pods in ${namespace}`,
    async () => (await kubectl(['get', 'pods', '-n', namespace, '-o', 'name'])) !== '',
  );
  const running = '--field-selector=status.phase!=Succeeded,status.phase!=Failed';
  await kubectl(['wait', '-n', namespace, '--for=condition=Ready', 'pods', running, `--timeout=${timeoutSec}s`]);
}

/** The log of a pod since it started. */
export function podLog(namespace: string, pod: string): Promise<string> {
  return kubectl(['logs', '-n', namespace, pod, '--tail=-1']);
}
