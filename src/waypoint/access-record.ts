/** What the access log says of a request (facts l7-and-control 8.4, 8.5): one line, when it is over. */
import type { RequestSubject } from '../authz/request-subject.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { spiffeId } from '../model/spiffe.ts';
import type { ConnectTarget } from './connect-target.ts';
import type { HttpResponseFlag, LocalReply } from './local-reply.ts';
import type { RequestFields } from './request-fields.ts';
import type { Endpoint } from './upstreams.ts';

/** The connection that a request came on. */
export interface RecordedConnection {
  readonly target: ConnectTarget;
  /** `ip:port`. */
  readonly clientAddress: string;
  readonly subject: Pick<RequestSubject, 'identity'>;
}

interface Received {
  readonly receivedBytes: number;
}

export class AccessRecord {
  readonly #request: RequestFields;
  readonly #connection: RecordedConnection;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #startMs: number;
  readonly #flags: HttpResponseFlag[] = [];
  #details = 'via_upstream';
  #written = false;
  status = 0;
  sentBytes = 0;
  route = '';
  endpoint: Endpoint | undefined;

  constructor(
    request: RequestFields,
    connection: RecordedConnection,
    { clock, accessLog }: { readonly clock: Clock; readonly accessLog: Logger },
  ) {
    this.#request = request;
    this.#connection = connection;
    this.#clock = clock;
    this.#log = accessLog;
    this.#startMs = clock.monotonicMs();
  }

  get durationMs(): number {
    return this.#clock.monotonicMs() - this.#startMs;
  }

  flag(flag: HttpResponseFlag): void {
    if (flag !== '-') this.#flags.push(flag);
  }

  /** The waypoint answered itself. */
  answered(reply: LocalReply, body: Received): void {
    this.status = reply.status;
    this.sentBytes = reply.body.length;
    this.#flags.unshift(...(reply.flag === '-' ? [] : [reply.flag]));
    this.#details = reply.details;
    this.#write(body);
  }

  /** An endpoint's answer is over, or was cut. */
  end(aborted: 'upstream' | 'downstream' | 'timeout' | undefined, body: Received): void {
    if (aborted === 'downstream') this.#disconnected();
    else if (aborted !== undefined) {
      this.flag(aborted === 'timeout' ? 'UT' : 'UC');
      const reason = aborted === 'timeout' ? 'response_timeout' : 'connection_termination';
      this.#details = `upstream_reset_after_response_started{${reason}}`;
    }
    this.#write(body);
  }

  /** The client went before there was an answer. */
  clientGone(body: Received): void {
    this.#disconnected();
    this.#write(body);
  }

  #disconnected(): void {
    this.flag('DC');
    this.#details = 'downstream_remote_disconnect';
  }

  #write({ receivedBytes }: Received): void {
    if (this.#written) return;
    this.#written = true;
    if (!this.#log.enabled('info')) return;
    const { target, clientAddress, subject } = this.#connection;
    const service = target.kind === 'service' ? target.service : undefined;
    this.#log.info('request complete', {
      method: this.#request.method,
      path: this.#request.target,
      authority: this.#request.authority,
      response_code: this.status,
      response_flags: this.#flags.join(',') || '-',
      response_code_details: this.#details,
      bytes_received: receivedBytes,
      bytes_sent: this.sentBytes,
      duration: Math.round(this.durationMs),
      request_id: this.#request.requestId,
      ...(this.route === '' ? {} : { route_name: this.route }),
      'src.addr': clientAddress,
      'src.identity': subject.identity && spiffeId(subject.identity),
      'dst.service': service?.hostname,
      'dst.workload': this.endpoint?.workload.name,
      'dst.namespace': this.endpoint?.workload.namespace,
    });
  }
}
