/** The side of Envoy in the memory bench: a program and a sidecar for each pod, all on loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { eventually } from '../../test/helpers/eventually.ts';
import { ENDS_WITH_BENCH, endProcess } from '../end-process.ts';
import { ENVOY } from '../envoy/fetch-envoy.ts';
import { peerCredentials } from '../peer-credentials.ts';
import { application, type Caller, callOn } from './light-traffic.ts';
import { CALLS_PER_SEC, type Measured, measure, type NodeSize } from './measure.ts';
import { type SidecarOptions, sidecarConfig } from './sidecar-config.ts';

const FIRST_PORT = 20_000;
/** Of all: a hundred of them start at the same time. */
const START_LIMIT_MS = 240_000;

function portsOf(pod: number) {
  const outboundPort = FIRST_PORT + 3 * pod;
  return { outboundPort, inboundPort: outboundPort + 1, applicationPort: outboundPort + 2 };
}

/** @param folder for their files */
export async function sidecars(folder: string, { pods, services }: NodeSize): Promise<Measured> {
  const tls = await peerCredentials(folder);
  const mesh = Array.from({ length: services }, (_, index) => ({
    name: `s${index}`,
    endpointPort: portsOf(index % pods).inboundPort,
  }));
  const envoys: ChildProcess[] = [];
  const applications: Server[] = [];
  try {
    for (let pod = 0; pod < pods; pod++) {
      applications.push(await application(portsOf(pod).applicationPort));
      envoys.push(startSidecar(join(folder, `sidecar-${pod}.json`), { ...portsOf(pod), services: mesh, ...tls }));
    }
    for (const [pod, envoy] of envoys.entries()) await listens(envoy, portsOf(pod).outboundPort);
    const pids = envoys.map(({ pid }) => pid ?? 0);
    return await measure(pids, () => Promise.all(envoys.map((_, pod) => callNeighbour(pod, { pods, services }))));
  } finally {
    await Promise.all(envoys.map(endProcess));
    for (const server of applications) server.close();
  }
}

function startSidecar(file: string, options: SidecarOptions): ChildProcess {
  writeFileSync(file, sidecarConfig(options));
  // What hot restarts need would stay in /dev/shm.
  const envoy = [ENVOY, '--concurrency', '1', '--disable-hot-restart', '-l', 'off', '-c', file];
  const [command = '', ...args] = [...ENDS_WITH_BENCH, ...envoy];
  return spawn(command, args, { stdio: 'ignore' });
}

async function listens(envoy: ChildProcess, port: number): Promise<void> {
  const isListening = () => {
    const { exitCode, signalCode } = envoy;
    if (exitCode !== null || signalCode !== null) throw new Error(`a sidecar ended: ${exitCode ?? signalCode}`);
    return canConnect(port);
  };
  await eventually(`a sidecar listens on ${port}`, isListening, START_LIMIT_MS);
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function callNeighbour(pod: number, { pods, services }: NodeSize): Promise<Caller> {
  const socket = await dialTcp({ destination: { address: '127.0.0.1', port: portsOf(pod).outboundPort } });
  return callOn(socket, `s${((pod + 1) % pods) % services}.bench`, CALLS_PER_SEC);
}
