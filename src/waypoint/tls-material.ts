/** Certificates, key and revocation list for TLS to endpoints, read once for many connections. */
import type { SecureContext } from 'node:tls';
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';

/** PEM. */
export interface TlsTexts {
  /** Undefined: none is shown. */
  readonly own: { readonly certificate: string; readonly key: string } | undefined;
  /** Undefined: the system's roots. */
  readonly ca: string | undefined;
  readonly crl: string | undefined;
}

export class TlsMaterial {
  readonly texts: TlsTexts;
  #context: Result<SecureContext, string> | undefined;

  constructor(texts: TlsTexts) {
    this.texts = texts;
  }

  /** A failure where something is no PEM, or key and certificate do not belong together. */
  context(): Result<SecureContext, string> {
    this.#context ??= contextOf(this.texts);
    return this.#context;
  }

  isOf({ own, ca, crl }: TlsTexts): boolean {
    const { texts } = this;
    const isSameOwn = texts.own?.certificate === own?.certificate && texts.own?.key === own?.key;
    return isSameOwn && texts.ca === ca && texts.crl === crl;
  }
}

function contextOf({ own, ca, crl }: TlsTexts): Result<SecureContext, string> {
  // To import node:tls builds the list of the system's roots, for every thread.
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  try {
    return ok(
      createSecureContext({
        ...(own !== undefined && { cert: own.certificate, key: own.key }),
        ...(ca !== undefined && { ca }),
        ...(crl !== undefined && { crl }),
      }),
    );
  } catch (error) {
    return fail(errorText(error));
  }
}
