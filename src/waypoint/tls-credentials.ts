/**
 * What the waypoint shows to endpoints over TLS of its own, and whom it trusts there: from the feed, from files, or the
 * system's roots (facts l7-and-control 2.5).
 *
 * Invariant: what is missing or broken is a failure; nothing weaker is put in its place.
 */
import { errorText } from '../base/errors.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { CREDENTIAL_TYPE } from '../model/waypoint-feed.ts';
import { type ClientTls, Credential, type TlsFiles, TlsMode } from '../proto/gen/ambit.ts';
import type { RefusedResource, ResourceHandler } from '../xds/client/delta-client.ts';
import type { FileTexts } from './file-texts.ts';
import { TlsMaterial, type TlsTexts } from './tls-material.ts';

const SYSTEM_ROOTS = 'system';
/** More combinations of files than this are not kept apart. */
const MAX_COMBINATIONS = 1000;

export class TlsCredentials {
  readonly #namespace: string;
  readonly #files: FileTexts;
  readonly #byName = new Map<string, { readonly credential: Credential; readonly material: TlsMaterial }>();
  readonly #systemRoots = new TlsMaterial({ own: undefined, ca: undefined, crl: undefined });
  readonly #combined = new Map<string, TlsMaterial>();

  /** @param namespace where the waypoint is */
  constructor(namespace: string, files: FileTexts) {
    this.#namespace = namespace;
    this.#files = files;
  }

  /** The subscription that fills this. */
  handler(): ResourceHandler {
    return {
      typeUrl: CREDENTIAL_TYPE,
      onDemand: false,
      apply: (resources, removed) => {
        const refused: RefusedResource[] = [];
        for (const name of removed) this.#byName.delete(name);
        for (const { name, bytes } of resources) {
          try {
            const credential = Credential.decode(bytes);
            this.#byName.set(name, { credential, material: materialOf(credential) });
          } catch {
            // What the decoder says could quote the bytes.
            refused.push({ name, reason: 'it cannot be decoded' });
          }
        }
        return refused;
      },
    };
  }

  /** What a policy asks for, as it is now. @returns a failure in words, for the log */
  async of(tls: ClientTls): Promise<Result<TlsMaterial, string>> {
    const material = await this.#gather(tls);
    const lacksOwn = tls.mode === TlsMode.MUTUAL && material.ok && material.value.texts.own === undefined;
    return lacksOwn ? fail('mode MUTUAL needs a certificate, and the rule names none') : material;
  }

  async #gather(tls: ClientTls): Promise<Result<TlsMaterial, string>> {
    const { credential, files } = tls;
    if (credential === '' && files === undefined) return ok(this.#systemRoots);
    const fed = credential === '' ? ok(this.#systemRoots) : this.#fed(tls);
    if (!fed.ok || files === undefined) return fed;
    if (files.namespace !== '' && files.namespace !== this.#namespace) {
      return fail(`files are named by a rule of namespace ${files.namespace}: waypoints elsewhere do not read them`);
    }
    return this.#withFiles(fed.value, files, credential);
  }

  #fed({ credential: name, insecureSkipVerify }: ClientTls): Result<TlsMaterial, string> {
    const found = this.#byName.get(name);
    if (found === undefined) {
      const [, namespace = '', ...secret] = name.split('/');
      return fail(
        `Secret "${secret.join('/')}", which a rule of namespace ${namespace} names, is not given to waypoints of ` +
          `namespace ${this.#namespace}`,
      );
    }
    const { problem, caProblem } = found.credential;
    if (problem !== '') return fail(problem);
    return caProblem === '' || insecureSkipVerify ? ok(found.material) : fail(caProblem);
  }

  async #withFiles(base: TlsMaterial, files: TlsFiles, credential: string): Promise<Result<TlsMaterial, string>> {
    const { certificate, key, ca, crl } = files;
    const texts: string[] = [];
    for (const path of [certificate, key, ca === SYSTEM_ROOTS ? '' : ca, crl]) {
      if (path === '') {
        texts.push('');
        continue;
      }
      const text = await this.#files.read(path);
      if (!text.ok) return fail(`${path}: ${errorText(text.error)}`);
      texts.push(text.value);
    }
    const [certificateText = '', keyText = '', caText = '', crlText = ''] = texts;
    const own = certificateText === '' ? base.texts.own : { certificate: certificateText, key: keyText };
    const { ca: feedCa, crl: feedCrl } = base.texts;
    const id = [credential, certificate, key, ca, crl].join('\n');
    const material = this.#combine({ own, ca: caText || feedCa, crl: crlText || feedCrl }, id);
    // Files that are being replaced may not fit together yet: the next connection reads them again.
    if (!material.context().ok) for (const path of [certificate, key, ca, crl]) this.#files.forget(path);
    return ok(material);
  }

  /** The object of before where nothing changed, so that what is made of it can be kept. */
  #combine(texts: TlsTexts, id: string): TlsMaterial {
    const before = this.#combined.get(id);
    if (before?.isOf(texts)) return before;
    const material = new TlsMaterial(texts);
    if (this.#combined.size >= MAX_COMBINATIONS) this.#combined.clear();
    this.#combined.set(id, material);
    return material;
  }
}

function materialOf({ certificate, key, ca, crl }: Credential): TlsMaterial {
  const own = certificate === '' ? undefined : { certificate, key };
  return new TlsMaterial({ own, ca: ca || undefined, crl: crl || undefined });
}
