/** The protocol of a service port, from `appProtocol` or the port's name (facts l7-and-control, appendix A). */
import { AppProtocol } from '../proto/gen/workload.ts';

const BY_NAME: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', AppProtocol.HTTP11],
  ['http_proxy', AppProtocol.HTTP11],
  ['kubernetes.io/ws', AppProtocol.HTTP11],
  ['http2', AppProtocol.HTTP2],
  ['kubernetes.io/h2c', AppProtocol.HTTP2],
  ['grpc', AppProtocol.GRPC],
  ['grpc-web', AppProtocol.GRPC],
  ['https', AppProtocol.TLS],
  ['tls', AppProtocol.TLS],
  ['kubernetes.io/wss', AppProtocol.TLS],
  ['tcp', AppProtocol.TCP],
  ['mongo', AppProtocol.TCP],
  ['redis', AppProtocol.TCP],
  ['mysql', AppProtocol.TCP],
]);
const GRPC_WEB = 'grpc-web';
/** SMTP, DNS, MySQL and MongoDB speak first on the server side: guessing would stall them. */
const SERVER_FIRST_PORTS = new Set([25, 53, 3306, 27017]);

/** The protocol; UNKNOWN where it has to be found out from the bytes. */
export function appProtocolOf(port: number, name: string, appProtocol: string): AppProtocol {
  const known = lookup(appProtocol === '' ? name : appProtocol);
  if (known !== undefined) return known;
  return appProtocol === '' && SERVER_FIRST_PORTS.has(port) ? AppProtocol.TCP : AppProtocol.UNKNOWN;
}

/** Whether the port is declared for gRPC-Web. */
export function isGrpcWebPort(name: string, appProtocol: string): boolean {
  return (appProtocol === '' ? name : appProtocol).toLowerCase().startsWith(GRPC_WEB);
}

function lookup(text: string): AppProtocol | undefined {
  const lower = text.toLowerCase();
  if (lower.startsWith(GRPC_WEB)) return AppProtocol.GRPC;
  return BY_NAME.get(lower) ?? BY_NAME.get(lower.split('-', 1)[0] ?? '');
}
