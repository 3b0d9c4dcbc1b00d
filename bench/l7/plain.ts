/** Lines of the L7 bench without a mesh: proxies on loopback between a load generator and an endpoint. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/helpers/eventually.ts';
import { JwtIssuer } from '../../test/helpers/jwt-issuer.ts';
import { haproxyResponder } from '../haproxy-responder.ts';
import { LOAD_CORE, PROXY_CORE } from '../l4/process-cost.ts';
import { type Contestant, Programs, runOnLoadCore } from './contestant.ts';
import { type ConfigurationOptions, ISSUER } from './engine-configuration.ts';
import { buildGrpcBench } from './grpc-bench.ts';
import { grpcLoad, http1Load, http2Load, PROFILE_NAME } from './load.ts';
import { type Line, measure, type Rounds } from './measure.ts';
import { envoy, haproxy, nginx, type Spoken } from './peers.ts';

const LOOPBACK = '127.0.0.1';
const ENDPOINT = { http1: 28_081, http2: 28_082, grpc: 28_083 };
const LISTEN = { ambit: 28_090, envoy: 28_091, haproxy: 28_092, nginx: 28_093 };
const ROUTE_COUNTS = [1, 100, 5000];
const POLICIES = 1000;
const START_MS = 1000;
/** As `bin/ambit` starts a waypoint. */
const WAYPOINT_NODE = [
  'env',
  'MALLOC_TRIM_THRESHOLD_=67108864',
  'MALLOC_MMAP_THRESHOLD_=33554432',
  'MALLOC_ARENA_MAX=2',
  process.execPath,
  '--expose-gc',
  '--max-semi-space-size=2',
];

interface Setup {
  readonly endpoint: number;
  readonly spoken: Spoken;
  readonly peers: readonly ('envoy' | 'haproxy' | 'nginx')[];
  readonly nginx?: 'http1' | 'grpc';
  readonly configuration?: ConfigurationOptions;
}

/** All of them. @param folder for configuration files */
export async function plainLines(folder: string, rounds: Rounds): Promise<Line[]> {
  const grpc = buildGrpcBench();
  for (const port of [...Object.values(ENDPOINT), ...Object.values(LISTEN)]) {
    // Some share a port with whoever listens there already, and would do half of the work.
    if (await accepts(port)) throw new Error(`something listens on port ${port}, which the bench needs`);
  }
  await using endpoints = new Programs();
  endpoints.start(LOAD_CORE, ...haproxyResponder(ENDPOINT.http1, join(folder, 'responder.cfg')));
  endpoints.start(LOAD_CORE, ...haproxyResponder(ENDPOINT.http2, join(folder, 'responder-h2.cfg'), 'http2'));
  const own = ['-port', String(ENDPOINT.grpc), '-test_name', PROFILE_NAME];
  endpoints.start(LOAD_CORE, 'env', 'GOMAXPROCS=1', grpc.server, ...own);
  for (const port of Object.values(ENDPOINT)) await eventually(`the endpoint at ${port}`, () => accepts(port));
  const lines: Line[] = [];
  const line = async (setup: Setup, ...measured: readonly Parameters<typeof measure>[0][]) => {
    await using proxies = new Programs();
    const contestants = startContestants(proxies, folder, setup);
    for (const { url } of contestants) await eventually(url, () => accepts(Number(new URL(url).port)));
    // Some take connections before they serve them.
    await delay(START_MS);
    for (const one of measured) lines.push(await measure(one, contestants, rounds));
  };
  const http1 = { endpoint: ENDPOINT.http1, spoken: 'http1' } as const;
  await line(
    { ...http1, peers: ['envoy', 'haproxy', 'nginx'] },
    { title: 'plain in and out', connections: 16, load: http1Load(16) },
    { title: 'plain in and out', connections: 64, load: http1Load(64) },
  );
  await line(
    { endpoint: ENDPOINT.http2, spoken: 'http2', peers: ['envoy', 'haproxy'] },
    { title: 'HTTP/2, 16 streams each', connections: 4, load: http2Load(4, 16) },
  );
  await line(
    { endpoint: ENDPOINT.grpc, spoken: 'http2', peers: ['envoy', 'haproxy', 'nginx'], nginx: 'grpc' },
    { title: 'gRPC unary, 16 calls each', connections: 4, load: grpcLoad(grpc.client, 'unary', 4, 16) },
    { title: 'gRPC streaming, 16 calls each', connections: 4, load: grpcLoad(grpc.client, 'streaming', 4, 16) },
  );
  for (const routes of ROUTE_COUNTS) {
    const load = http1Load(16, `/api/${routes - 1}/x`);
    const title = `the last of ${routes.toLocaleString('en')} route${routes === 1 ? '' : 's'}`;
    await line({ ...http1, peers: ['envoy'], configuration: { routes } }, { title, connections: 16, load });
  }
  const issuer = await JwtIssuer.create(ISSUER, 'RS256');
  const token = await issuer.sign({ exp: Math.floor(Date.now() / 1000) + 86_400 });
  const withToken = http1Load(16, '/', [`authorization: Bearer ${token}`]);
  await line(
    { ...http1, peers: ['envoy'], configuration: { jwks: issuer.jwks } },
    { title: 'JWT (RS256), one token', connections: 16, load: withToken },
  );
  await line(
    { ...http1, peers: ['envoy'], configuration: { policies: POLICIES } },
    { title: 'the last of 1,000 policies', connections: 16, load: http1Load(16) },
  );
  return lines;
}

function startContestants(programs: Programs, folder: string, setup: Setup): Contestant[] {
  const { endpoint, spoken, peers, configuration = {} } = setup;
  const commands = {
    ambit: [
      ...WAYPOINT_NODE,
      join(import.meta.dirname, 'plain-waypoint.ts'),
      String(LISTEN.ambit),
      String(endpoint),
      JSON.stringify({ spoken, ...configuration }),
    ],
    envoy: envoy(
      folder,
      {
        listen: { address: LOOPBACK, port: LISTEN.envoy },
        upstream: { address: LOOPBACK, port: endpoint },
        spoken,
        ...configuration,
      },
      'plain',
    ),
    haproxy: haproxy(folder, LISTEN.haproxy, endpoint, spoken),
    nginx: nginx(folder, LISTEN.nginx, endpoint, setup.nginx ?? 'http1'),
  };
  return (['ambit', ...peers] as const).map((name) => ({
    name,
    url: `http://${LOOPBACK}:${LISTEN[name]}`,
    pids: [programs.start(PROXY_CORE, ...commands[name])],
    run: runOnLoadCore,
  }));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const settle = (isOpen: boolean) => () => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.on('connect', settle(true));
    socket.on('error', settle(false));
  });
}
