/** `GET /probe` of the admin endpoint: tries a way as the proxy would go it, bounded in number and time. */
import { type Clock, sleep } from '../base/clock.ts';
import { type IpAddress, parseIpAddress } from '../model/address.ts';
import { parsePort } from '../model/port.ts';
import type { ProbeReport } from '../model/probe-step.ts';
import type { HttpAnswer, HttpRoutes } from '../net/http-endpoint.ts';

/** Each takes a socket or two and some seconds. */
export const MAX_PROBES = 4;
export const PROBE_DEADLINE_MS = 25_000;

export interface ProbeQuestion {
  /** The pod that asks, `namespace/name`; undefined where the proxy has only one. */
  readonly pod: string | undefined;
  readonly name: string | undefined;
  readonly destination: { readonly ip: IpAddress; readonly port: number } | undefined;
}

export interface ProbeRoutesDeps {
  readonly clock: Clock;
  /** Resolves with the reason when the question is not allowed. */
  probe(question: ProbeQuestion): Promise<ProbeReport | { readonly refused: string }>;
}

/** Query: `pod`, `name`, `ip` and `port`. */
export function probeRoutes({ clock, probe }: ProbeRoutesDeps): HttpRoutes {
  let running = 0;
  return {
    'GET /probe': async ({ url }) => {
      const question = questionOf(url.searchParams);
      if (typeof question === 'string') return { status: 400, body: `${question}\n` };
      if (running >= MAX_PROBES) return { status: 429, body: `${MAX_PROBES} probes run already\n` };
      running++;
      const probed = probe(question).finally(() => running--);
      const answered = new AbortController();
      const late = sleep(clock, PROBE_DEADLINE_MS, answered.signal).then(() => undefined);
      try {
        return answerOf(await Promise.race([probed, late]));
      } finally {
        answered.abort();
      }
    },
  };
}

function answerOf(report: ProbeReport | { readonly refused: string } | undefined): HttpAnswer {
  if (report === undefined) return { status: 504, body: `it took longer than ${PROBE_DEADLINE_MS / 1000} s\n` };
  if ('refused' in report) return { status: 403, body: `${report.refused}\n` };
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(report, null, 2)}\n` };
}

/** The reason where it cannot be read. */
function questionOf(params: URLSearchParams): ProbeQuestion | string {
  const pod = params.get('pod') ?? undefined;
  const name = params.get('name') ?? undefined;
  const ip = params.get('ip');
  if (ip === null)
    return name === undefined ? 'ip and port, or name, are needed' : { pod, name, destination: undefined };
  const address = parseIpAddress(ip);
  const port = parsePort(params.get('port') ?? '');
  if (address === undefined || port === undefined) return 'ip is an address, and port from 1 to 65535';
  return { pod, name, destination: { ip: address, port } };
}
