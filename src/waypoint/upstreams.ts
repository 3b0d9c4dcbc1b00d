/**
 * Connections of a waypoint to the endpoints behind it (facts l7-and-control 5.4).
 *
 * Invariant: an endpoint that takes tunnels is reached through one, under the waypoint's own identity; a tunnel that
 * cannot be built never becomes plain TCP.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { newTraceparent, requestConnect } from '../hbone/connect-request.ts';
import type { Dialer } from '../hbone/dialer.ts';
import { openTunnel } from '../hbone/open-tunnel.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import type { TlsStore } from '../hbone/tls-store.ts';
import { type TunnelKey, TunnelPool } from '../hbone/tunnel-pool.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../hbone/tunnel-settings.ts';
import type { BlockPool } from '../http2/block-pool.ts';
import { SocketIntake } from '../http2/socket-intake.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { streamDuplex } from '../http2/stream-duplex.ts';
import { formatAddress, type IpAddress } from '../model/address.ts';
import { HBONE_PORT } from '../model/gateway-address.ts';
import { allowsFamily, type Service } from '../model/service.ts';
import type { SpiffeId } from '../model/spiffe.ts';
import { type Workload, workloadIdentity } from '../model/workload.ts';
import type { HostnameResolver } from '../net/hostname-resolver.ts';
import type { TrafficPolicy } from '../proto/gen/ambit.ts';
import { OwnBaggage } from '../telemetry/baggage.ts';
import type { TraceIds } from '../telemetry/trace-ids.ts';
import type { WaypointConfig } from './config.ts';
import { type OriginateOptions, originateTls, wantsTls } from './originate-tls.ts';
import type { TlsCredentials } from './tls-credentials.ts';

/** A connection to an endpoint: a stream of a tunnel, or a socket where the endpoint takes no tunnels. */
export type Upstream =
  | { readonly kind: 'tunnel'; readonly stream: Http2Stream }
  /** `intake`: what it is read by, where that was asked for and no TLS is in between. */
  | { readonly kind: 'tcp'; readonly socket: Socket; readonly intake?: SocketIntake };

export type UpstreamAnswer = (result: Result<Upstream, ProxyError>) => void;

/** One endpoint and the application's port on it. */
export interface Endpoint {
  readonly workload: Workload;
  readonly port: number;
  readonly service: Service | undefined;
}

export interface UpstreamsDeps {
  readonly clock: Clock;
  readonly blocks: BlockPool;
  readonly traceIds: TraceIds;
  readonly tls: TlsStore;
  readonly dialer: Dialer;
  /** For endpoints that the feed knows by name only. */
  readonly hostnames: HostnameResolver;
  /** For TLS of the waypoint's own. */
  readonly credentials: TlsCredentials;
}

export class Upstreams {
  readonly #deps: UpstreamsDeps;
  readonly #pool: TunnelPool;
  readonly #baggage = new OwnBaggage();

  constructor(config: WaypointConfig, deps: UpstreamsDeps) {
    this.#deps = deps;
    const { clock, blocks, tls, dialer } = deps;
    const tunnels = { clock, blocks, tls, network: dialer, revocations: undefined, http2: config.http2 };
    this.#pool = new TunnelPool(
      { maxStreams: config.poolMaxStreams, idleMs: config.poolIdleMs },
      {
        clock,
        open: (key, onClosed) => openTunnel(key, onClosed, { ...tunnels, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS }),
      },
    );
  }

  /**
   * Connects to the endpoint; `forwarded` names the client to it.
   * @param done called once; a stream's handler has to be set before it returns
   * @param policy how long it may take, and whether TLS is spoken to the endpoint
   * @param alpn what is offered over that TLS
   * @param intakeBuffer reads of a plain socket go there
   */
  async connect(
    endpoint: Endpoint,
    self: Workload,
    forwarded: string,
    done: UpstreamAnswer,
    policy?: TrafficPolicy,
    alpn: readonly string[] = [],
    intakeBuffer?: Uint8Array,
  ): Promise<void> {
    const { clock } = this.#deps;
    const { connectionPool, tls } = policy ?? {};
    const timeoutMs = connectionPool?.connectTimeoutMs ?? 0;
    let secured = done;
    if (wantsTls(tls)) {
      // Before anything is opened: a connection that cannot be secured is of no use.
      const material = await this.#deps.credentials.of(tls);
      if (!material.ok) return done(fail(proxyError('TLS_CREDENTIAL_UNUSABLE', `tls error: ${material.error}`)));
      const context = material.value.context();
      if (!context.ok) return done(fail(proxyError('TLS_CREDENTIAL_UNUSABLE', `tls error: ${context.error}`)));
      secured = this.#securing(endpoint, { tls, material: material.value, alpn }, timeoutMs, done);
    }
    const answer = timeoutMs > 0 ? withDeadline(clock, timeoutMs, secured) : secured;
    const { workload, service } = endpoint;
    const ip = await this.#addressOf(workload, service);
    if (ip === undefined) {
      const text = `no ip addresses were resolved for workload: ${workload.uid}`;
      return answer(fail(proxyError('NO_RESOLVED_ADDRESS', text)));
    }
    if (workload.protocol !== 'HBONE') {
      const intake = intakeBuffer && !wantsTls(tls) ? new SocketIntake(intakeBuffer) : undefined;
      const reading = intake && { readInto: intake.onread };
      const socket = await this.#deps.dialer.dial({ address: ip, port: endpoint.port }, reading);
      return answer(socket.ok ? ok({ kind: 'tcp', socket: socket.value, ...(intake && { intake }) }) : socket);
    }
    return this.#connectThroughTunnel(endpoint, self, ip, forwarded, answer);
  }

  async #addressOf({ addresses, hostname }: Workload, service: Service | undefined): Promise<IpAddress | undefined> {
    const families = service?.ipFamilies;
    if (addresses.length > 0) return addresses.find((address) => allowsFamily(families, address));
    return hostname === '' ? undefined : this.#deps.hostnames.resolve(hostname, families, false);
  }

  async #connectThroughTunnel(
    endpoint: Endpoint,
    self: Workload,
    ip: IpAddress,
    forwarded: string,
    answer: UpstreamAnswer,
  ): Promise<void> {
    const tunnel = await this.#pool.acquire(this.#tunnelKey(endpoint, self, ip));
    if (!tunnel.ok) return answer(tunnel);
    this.#pool.redeem(tunnel.value);
    const request = {
      authority: formatAddress(ip, endpoint.port),
      baggage: this.#baggage.of(self),
      forwarded,
      traceparent: newTraceparent(this.#deps.traceIds),
    };
    requestConnect(tunnel.value.connection, request, this.#deps, (opened) =>
      answer(opened.ok ? ok({ kind: 'tunnel', stream: opened.value.stream }) : opened),
    );
  }

  /** Speaks TLS over what is connected, before it is handed on. */
  #securing(
    endpoint: Endpoint,
    wanted: Pick<OriginateOptions, 'tls' | 'material' | 'alpn'>,
    timeoutMs: number,
    done: UpstreamAnswer,
  ): UpstreamAnswer {
    return (result) => {
      if (!result.ok) return done(result);
      const upstream = result.value;
      const stream = upstream.kind === 'tunnel' ? streamDuplex(upstream.stream) : upstream.socket;
      const host = endpoint.service?.hostname ?? endpoint.workload.addresses[0] ?? '';
      const options = { ...wanted, host, timeoutMs: timeoutMs || HANDSHAKE_TIMEOUT_MS };
      originateTls(stream, options, this.#deps.clock, (secured) =>
        done(secured.ok ? ok({ kind: 'tcp', socket: secured.value }) : secured),
      );
    };
  }

  #tunnelKey({ workload, service }: Endpoint, self: Workload, targetIp: IpAddress): TunnelKey {
    return {
      sourceIdentity: workloadIdentity(self),
      sourceIp: '',
      identities: [workloadIdentity(workload), ...((service?.subjectAltNames ?? []) as readonly SpiffeId[])],
      targetIp,
      targetPort: HBONE_PORT,
    };
  }

  /** Ends tunnels once their streams are done. */
  drain(): void {
    this.#pool.drain();
  }

  stop(): void {
    this.#pool.destroy();
  }
}

/** Ends what nobody wants any more. */
export function destroyUpstream(upstream: Upstream): void {
  if (upstream.kind === 'tunnel') upstream.stream.reset();
  else upstream.socket.destroy();
}

/** The first answer, or that there was none in time; what comes later is ended. */
function withDeadline(clock: Clock, timeoutMs: number, done: UpstreamAnswer): UpstreamAnswer {
  let isLate = false;
  const timer = clock.after(timeoutMs, () => {
    isLate = true;
    done(fail(proxyError('CONNECT_TIMED_OUT', `connection failed: no answer in ${timeoutMs} ms`)));
  });
  return (result) => {
    timer.cancel();
    if (!isLate) done(result);
    else if (result.ok) destroyUpstream(result.value);
  };
}
