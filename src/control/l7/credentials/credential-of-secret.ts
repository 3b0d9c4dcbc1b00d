/** What a Secret gives for TLS to endpoints, and what is missing of it (facts l7-and-control 2.5). */
import { NO_AUTHORITY, type SecretObject } from '../../../model/manifest/secret.ts';
import type { Credential } from '../../../proto/gen/ambit.ts';

export interface SecretLookup {
  /** Undefined when there is none, or it cannot be read. */
  find(name: string): SecretObject | undefined;
}

const AUTHORITY_SUFFIX = '-cacert';
const NO_OWN = { certificate: '', key: '' };

/**
 * @param title of the Secret, for messages; nothing of its content is in them
 * @param shows whether the waypoint shows a certificate of its own: without, the key stays out
 */
export function credentialOfSecret(lookup: SecretLookup, name: string, title: string, shows: boolean): Credential {
  const secret = lookup.find(name);
  const missing = `${title} does not exist, or the control plane may not read it`;
  if (secret === undefined && shows) return unusable(missing);
  if (shows && secret?.own.ok === false) return unusable(`${title} ${secret.own.error}`);
  const holder = secret?.ca === undefined ? lookup.find(`${name}${AUTHORITY_SUFFIX}`) : secret;
  if (secret === undefined && holder === undefined) return unusable(missing);
  const own = shows && secret?.own.ok === true ? secret.own.value : NO_OWN;
  const ca = holder?.ca;
  return {
    problem: '',
    ...own,
    ca: ca?.ok === true ? ca.value : '',
    crl: secret?.crl || holder?.crl || '',
    caProblem: ca?.ok === true ? '' : `${title} ${ca?.error ?? NO_AUTHORITY}`,
  };
}

function unusable(problem: string): Credential {
  return { problem, ...NO_OWN, ca: '', crl: '', caProblem: '' };
}
