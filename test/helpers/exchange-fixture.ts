/** What an HTTP exchange of a waypoint needs, with as little behind it as requests get by with. */
import { NO_REQUEST_POLICIES } from '../../src/authz/request-policies.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { FairShares } from '../../src/waypoint/fair-shares.ts';
import type { HttpConnectionContext, HttpExchangeDeps } from '../../src/waypoint/http-context.ts';
import { ReplayBudget } from '../../src/waypoint/request-body.ts';
import { NO_TELEMETRY } from '../../src/waypoint/telemetry-settings.ts';
import { ManualClock } from './manual-clock.ts';
import { silentTelemetry, unknownClient } from './silent-telemetry.ts';

type Particulars<T> = { readonly [key in keyof T]?: unknown };

const SERVICE = { namespace: 'shop', hostname: 'cart', ports: new Map([[80, 8080]]) };

/** Of `cart` on port 80 for an HTTP/1 client without an identity: no token is asked for, and there are no routes. */
export function exchangeContext(particulars: Particulars<HttpConnectionContext>): HttpConnectionContext {
  return {
    target: { kind: 'service', service: SERVICE, port: 80 },
    self: {},
    client: unknownClient,
    clientAddress: '',
    forwarded: '',
    spoken: 'http1',
    requestClient: { ip: '10.0.0.9', certificate: undefined },
    subject: { identity: undefined },
    tokenRules: () => undefined,
    policies: () => NO_REQUEST_POLICIES,
    telemetry: () => NO_TELEMETRY,
    routes: () => undefined,
    ...particulars,
  } as unknown as HttpConnectionContext;
}

/** @param particulars what the request reaches beside clock, logs, budget and shares: clusters, upstreams, tokens */
export function exchangeDeps(particulars: Particulars<HttpExchangeDeps>): HttpExchangeDeps {
  return {
    clock: new ManualClock(),
    random: () => 0.5,
    accessLog: silentLogger,
    tapLog: silentLogger,
    telemetry: silentTelemetry,
    replayBudget: new ReplayBudget(1_000_000),
    requestShares: new FairShares(0),
    state: { service: () => SERVICE },
    ...particulars,
  } as unknown as HttpExchangeDeps;
}
