/** Readiness probes, as kubelet makes them: from the node, with an address that the rules in pods let pass. */
import { spawn } from 'node:child_process';
import { type Clock, sleep } from '../base/clock.ts';
import type { Container, Probe } from '../model/manifest/pod.ts';
import { dialTcp } from '../net/tcp-dialer.ts';
import { PROBE_ADDRESS_V4 } from './network-plan.ts';

/** Kubernetes' defaults. */
const TIMEOUT_MS = 1000;
const FAILURES_UNTIL_UNREADY = 3;
/** Until a pod is ready for the first time it is asked more often than its period. */
const EAGER_PERIOD_MS = 200;

export interface ProbeTarget {
  readonly container: Container;
  readonly address: string;
  /** Network namespace of the node. */
  readonly nodeNetnsFd: number;
  /** nsenter(1) arguments that enter the pod. */
  readonly enterArguments: readonly string[];
}

/** Asks one container until the signal aborts; `onResult` hears of changes only. */
export async function probeReadiness(
  probe: Probe,
  target: ProbeTarget,
  deps: { readonly clock: Clock; readonly signal: AbortSignal; readonly onResult: (ready: boolean) => void },
): Promise<void> {
  const { clock, signal, onResult } = deps;
  let ready = false;
  let failures = 0;
  await sleep(clock, probe.delayMs, signal);
  while (!signal.aborted) {
    const passed = await runProbe(probe, target);
    if (signal.aborted) return;
    failures = passed ? 0 : failures + 1;
    const next: boolean = passed || (ready && failures < FAILURES_UNTIL_UNREADY);
    if (next !== ready) {
      ready = next;
      onResult(ready);
    }
    await sleep(clock, ready ? probe.periodMs : Math.min(probe.periodMs, EAGER_PERIOD_MS), signal);
  }
}

/** The number of a port; 0 when the container has no port of that name. */
export function probePort(probe: Exclude<Probe, { kind: 'exec' }>, container: Container): number {
  if (typeof probe.port === 'number') return probe.port;
  return container.ports.find(({ name }) => name === probe.port)?.port ?? 0;
}

async function runProbe(probe: Probe, target: ProbeTarget): Promise<boolean> {
  if (probe.kind === 'exec') return runsWell(target.enterArguments, probe.command);
  const port = probePort(probe, target.container);
  if (port === 0) return false;
  try {
    const socket = await dialTcp({
      destination: { address: target.address, port },
      netnsFd: target.nodeNetnsFd,
      spoofedSource: PROBE_ADDRESS_V4,
      timeoutMs: TIMEOUT_MS,
    });
    if (probe.kind === 'http') return await answersHttp(socket, target.address, probe.path);
    socket.destroy();
    return true;
  } catch {
    // Whatever keeps the probe from connecting means: not ready.
    return false;
  }
}

function answersHttp(socket: Awaited<ReturnType<typeof dialTcp>>, host: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    let text = '';
    const done = (passed: boolean) => {
      socket.destroy();
      resolve(passed);
    };
    socket.setTimeout(TIMEOUT_MS, () => done(false));
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(text) ?? [];
      if (status !== undefined) done(Number(status) >= 200 && Number(status) < 400);
      else if (text.length > 64) done(false);
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: kube-probe/ambit\r\nConnection: close\r\n\r\n`);
  });
}

function runsWell(enterArguments: readonly string[], command: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const args = [...enterArguments, '--', ...command];
    const child = spawn('nsenter', args, { stdio: 'ignore', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}
