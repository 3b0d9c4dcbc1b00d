/** A whole ztunnel in this process without namespaces: dedicated mode, ports of the kernel, SOCKS5 as the way in. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import type { LookupAddresses } from '../../src/net/hostname-resolver.ts';
import { LogFilter } from '../../src/telemetry/log-filter.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startZtunnel, type ZtunnelHandle } from '../../src/ztunnel/app.ts';
import { readZtunnelConfig } from '../../src/ztunnel/config.ts';

export interface DirectZtunnel extends AsyncDisposable {
  readonly handle: ZtunnelHandle;
  readonly log: string[];
  readonly exits: number[];
  readonly socksPort: number;
}

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts with a static configuration; `env` wins over what tests usually want. */
export async function startDirect(
  localXds: string,
  env: Readonly<Record<string, string>> = {},
  lookup?: LookupAddresses,
): Promise<DirectZtunnel> {
  const log: string[] = [];
  const exits: number[] = [];
  const config = readZtunnelConfig({
    FAKE_CA: 'true',
    XDS_ADDRESS: '',
    LOCAL_XDS: localXds,
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: 'default/local/local',
    UNSTABLE_ENABLE_SOCKS5: 'true',
    ISTIO_META_DNS_CAPTURE: 'false',
    ENABLE_ORIG_SRC: 'false',
    IPV6_ENABLED: 'false',
    ADMIN_PORT: '0',
    STATS_PORT: '0',
    READINESS_PORT: '0',
    OUTBOUND_PORT: '0',
    INBOUND_PLAINTEXT_PORT: '0',
    INBOUND_PORT: String(await freePort()),
    SOCKS5_PORT: '0',
    ...env,
  });
  const logFilter = new LogFilter(config.logLevel);
  const destination = { write: (line: string) => void log.push(line.trimEnd()) };
  const handle = await startZtunnel(config, {
    clock: systemClock,
    random: Math.random,
    logger: createLogger({ format: 'plain', filter: logFilter, destination }),
    logFilter,
    version: { version: 'test' },
    inThread: true,
    onExit: (code) => exits.push(code),
    ...(lookup !== undefined && { lookup }),
  });
  return {
    handle,
    log,
    exits,
    socksPort: handle.dedicatedPorts?.socks5 ?? 0,
    [Symbol.asyncDispose]: () => handle.stop(),
  };
}

/** The bytes of a CONNECT request to an IPv4 address or a name. */
export function socksRequest(host: string, port: number): Buffer {
  const parts = host.split('.').map(Number);
  const isV4 = parts.length === 4 && parts.every((part) => part >= 0 && part <= 255);
  const name = isV4 ? Buffer.of(1, ...parts) : Buffer.concat([Buffer.of(3, host.length), Buffer.from(host)]);
  return Buffer.concat([Buffer.of(5, 1, 0), name, Buffer.of(port >> 8, port & 0xff)]);
}

/** Connects through SOCKS5. Rejects when the proxy says no. */
export async function connectSocks(socksPort: number, host: string, port: number): Promise<Socket> {
  const socket = connect({ port: socksPort, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  const read = async (bytes: number): Promise<Buffer> => {
    for (;;) {
      const chunk: Buffer | null = socket.read(bytes);
      if (chunk !== null) return chunk;
      if (socket.readableEnded || socket.destroyed) throw new Error('connection ended');
      await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    }
  };
  socket.write(Buffer.of(5, 1, 0));
  await read(2);
  socket.write(socksRequest(host, port));
  const answer = await read(10);
  if (answer[1] !== 0) {
    socket.destroy();
    throw new Error(`SOCKS5 answer ${answer[1]}`);
  }
  return socket;
}

/** Sends a text through SOCKS5, ends the side, and resolves with what came back. */
export async function askSocks(socksPort: number, host: string, port: number, text: string): Promise<string> {
  const socket = await connectSocks(socksPort, host, port);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = once(socket, 'close');
  socket.on('end', () => socket.end());
  socket.end(text);
  await closed;
  return Buffer.concat(chunks).toString();
}

/** Answers twice what it gets. */
export async function serveDouble(): Promise<AsyncDisposable & { readonly port: number; readonly accepted: number }> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => socket.write(Buffer.concat([chunk, chunk])));
    socket.on('end', () => socket.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
