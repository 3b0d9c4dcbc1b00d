/** A request of which an external authorizer is told. */
import type { HttpHeader } from '../../src/http/http-stream.ts';
import type { IpAddress } from '../../src/model/address.ts';
import type { Workload } from '../../src/model/workload.ts';
import type { CheckedRequest } from '../../src/waypoint/external-authorization/checked-request.ts';

export const SELF = { trustDomain: 'cluster.local', namespace: 'web', serviceAccount: 'gate' } as unknown as Workload;

/** `POST http://site/a?b=c` by `client`; `headers` besides the pseudo-headers. */
export function checkedRequest({
  headers = [],
  ...fields
}: Partial<CheckedRequest> & { headers?: readonly HttpHeader[] } = {}): CheckedRequest {
  return {
    self: SELF,
    clientAddress: '10.0.0.1:4444',
    forwarded: '',
    subject: {
      identity: { trustDomain: 'cluster.local', namespace: 'web', serviceAccount: 'client' },
      sourceIp: '10.0.0.1' as IpAddress,
      remoteIp: '10.0.0.1' as IpAddress,
      destinationIp: '10.96.0.1' as IpAddress,
      destinationPort: 80,
      sni: undefined,
    },
    spoken: 'http1',
    method: 'POST',
    scheme: 'http',
    authority: 'site',
    target: '/a?b=c',
    requestId: 'id-1',
    headers: [[':method', 'POST'], [':path', '/a?b=c'], ...headers],
    body: undefined,
    ...fields,
  };
}
