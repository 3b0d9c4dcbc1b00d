/** TLS of the waypoint's own towards an endpoint, as a policy asks for it (facts l7-and-control 2.5). */
import type { Duplex } from 'node:stream';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type ProxyError, proxyError } from '../hbone/proxy-error.ts';
import { parseIpAddress } from '../model/address.ts';
import { type ClientTls, TlsMode } from '../proto/gen/ambit.ts';
import type { TlsMaterial } from './tls-material.ts';

export interface OriginateOptions {
  readonly tls: ClientTls;
  readonly material: TlsMaterial;
  /** Whom the certificate has to be for, where the policy names nobody. */
  readonly host: string;
  readonly alpn: readonly string[];
  readonly timeoutMs: number;
}

/** Whether the policy wants TLS that the mesh does not bring by itself. */
export function wantsTls(tls: ClientTls | undefined): tls is ClientTls {
  return tls?.mode === TlsMode.SIMPLE || tls?.mode === TlsMode.MUTUAL;
}

/** Runs the handshake over a stream that is connected; on failure the stream is destroyed. `done` is called once. */
export function originateTls(
  stream: Duplex,
  options: OriginateOptions,
  clock: Clock,
  done: (result: Result<TLSSocket, ProxyError>) => void,
): void {
  // To import node:tls builds the list of the system's roots, for every thread.
  const { connect } = process.getBuiltinModule('node:tls');
  const secureContext = options.material.context();
  if (!secureContext.ok) {
    stream.destroy();
    return done(fail(tlsError(secureContext.error)));
  }
  let socket: TLSSocket;
  try {
    socket = connect({ socket: stream, secureContext: secureContext.value, ...connectionOptions(options) });
  } catch (error) {
    stream.destroy();
    // A name that cannot be asked for is found out here.
    return done(fail(tlsError(error)));
  }
  const refuse = (error: ProxyError) => {
    settle();
    // A late error of a socket that nobody waits for any more has no reader.
    socket.on('error', () => undefined);
    socket.destroy();
    done(fail(error));
  };
  const onError = (error: Error) => refuse(tlsError(error));
  const onClose = () => refuse(proxyError('TLS_FAILED', 'tls error: closed during the handshake'));
  const timer = clock.after(options.timeoutMs, () =>
    refuse(proxyError('TLS_FAILED', `tls error: no answer in ${options.timeoutMs} ms`)),
  );
  const settle = () => {
    timer.cancel();
    socket.off('error', onError).off('close', onClose);
  };
  socket.on('error', onError).on('close', onClose);
  socket.once('secureConnect', () => {
    settle();
    socket.allowHalfOpen = true;
    done(ok(socket));
  });
}

function connectionOptions({ tls, host, alpn }: OriginateOptions): ConnectionOptions {
  const { checkServerIdentity } = process.getBuiltinModule('node:tls');
  const name = tls.sni === '' ? host : tls.sni;
  const { subjectAltNames } = tls;
  return {
    host: name,
    ...(parseIpAddress(name) === undefined && { servername: name }),
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    rejectUnauthorized: !tls.insecureSkipVerify,
    checkServerIdentity: (_host, certificate) =>
      subjectAltNames.length === 0 ? checkServerIdentity(name, certificate) : wrongNames(certificate, subjectAltNames),
  };
}

/** An error unless the certificate carries one of the names. Names that Node had to escape never count. */
function wrongNames({ subjectaltname }: PeerCertificate, wanted: readonly string[]): Error | undefined {
  const names =
    subjectaltname === undefined || subjectaltname.includes('"')
      ? []
      : subjectaltname.split(', ').map((name) => name.replace(/^(DNS|URI|IP Address|email):/, ''));
  if (names.some((name) => wanted.includes(name))) return undefined;
  return new Error(`the certificate is for ${names.join(', ') || 'nobody'}, not for ${wanted.join(' or ')}`);
}

function tlsError(error: unknown): ProxyError {
  const text = error instanceof Error ? error.message : String(error);
  return proxyError('TLS_FAILED', `tls error: ${text}`, { cause: error });
}
