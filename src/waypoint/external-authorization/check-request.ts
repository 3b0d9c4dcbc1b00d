/** The check of one request: its body as far as the authorizer wants it, the question, the answer. */
import type { CustomMatch } from '../../authz/custom-policies.ts';
import type { HttpStream } from '../../http/http-stream.ts';
import type { CheckedBody as BodySettings } from '../../proto/gen/ambit.ts';
import type { UpstreamVersion } from '../http-upstreams.ts';
import { LOCAL_REPLIES, type LocalReply } from '../local-reply.ts';
import type { Held, RequestBody } from '../request-body.ts';
import type { RequestFields } from '../request-fields.ts';
import type { CheckedBody, CheckedConnection } from './checked-request.ts';
import {
  type CheckOutcome,
  type ExternalAuthorization,
  isReady,
  type ReadyProvider,
} from './external-authorization.ts';

export interface RequestToCheck {
  readonly stream: HttpStream;
  readonly body: RequestBody;
  readonly fields: RequestFields;
  readonly connection: CheckedConnection & { readonly spoken: UpstreamVersion };
}

/** Nothing may be read of it, so nobody is asked, and it is no reason to let anything through. */
const NO_ROOM: LocalReply = { status: 403, body: '', flag: 'UAEX', details: 'ext_authz_error' };

/** Asks about the request. @returns ends the check without an outcome */
export function checkRequest(
  match: CustomMatch,
  request: RequestToCheck,
  external: ExternalAuthorization,
  onOutcome: (outcome: CheckOutcome) => void,
): () => void {
  const found = external.find(match);
  const refuse = (reply: LocalReply) => onOutcome({ kind: 'refused', reply });
  if (!isReady(found)) {
    refuse(found);
    return () => undefined;
  }
  let end: (() => void) | undefined;
  let ended = false;
  const ask = (body: CheckedBody | undefined) => {
    end = askAbout(request, found, body, external, onOutcome);
    if (ended) end();
  };
  const wanted = found.provider.settings.body;
  if (wanted === undefined || request.fields.header('upgrade') !== undefined) ask(undefined);
  else readBody(request, wanted, ask, refuse);
  return () => {
    ended = true;
    end?.();
  };
}

function askAbout(
  { fields, connection }: RequestToCheck,
  provider: ReadyProvider,
  body: CheckedBody | undefined,
  external: ExternalAuthorization,
  onOutcome: (outcome: CheckOutcome) => void,
): () => void {
  const { method, scheme, authority, target, requestId } = fields;
  const client = { ip: connection.subject.sourceIp, certificate: undefined };
  const headers = fields.forUpstream('http1', { target, authority: '', headers: [] }, client);
  const checked = { ...connection, method, scheme, authority, target, requestId, headers, body };
  return external.ask(provider, connection, checked, onOutcome);
}

function readBody(
  { stream, body, fields }: RequestToCheck,
  { maxBytes, allowPartial }: BodySettings,
  onBody: (body: CheckedBody) => void,
  refuse: (reply: LocalReply) => void,
): void {
  // The client may wait for leave to send it.
  if (!body.ended && fields.header('expect')?.toLowerCase() === '100-continue') stream.respond([[':status', '100']]);
  body.hold(stream, allowPartial ? maxBytes : maxBytes + 1, (held: Held) => {
    const isLonger = body.receivedBytes > maxBytes;
    if (held === 'no-room') return refuse(NO_ROOM);
    if (isLonger && !allowPartial) return refuse(LOCAL_REPLIES.payloadTooLarge);
    onBody({ bytes: body.beginning(maxBytes), partial: isLonger || held !== 'whole' });
  });
}
