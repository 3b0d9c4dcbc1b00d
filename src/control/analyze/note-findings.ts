/** The control plane's own remarks as findings: it knows best what has no effect. */
import type { Finding, FindingCode, FindingLevel } from './finding.ts';

const POLICIES = /^(?:AuthorizationPolicy|RequestAuthentication|PeerAuthentication)\//;
const MISSING =
  /is no service of the mesh|has no subset|has no port|which is not there|is not there|not found|does not exist|no Secret/i;

/** One for each part of a remark. @param notes by key of the object */
export function noteFindings(notes: ReadonlyMap<string, string>): Finding[] {
  return [...notes].flatMap(([key, note]) =>
    partsOf(key, note).map((message) => ({ key, message, ...codeOf(key, message) })),
  );
}

/** A policy's is one sentence. */
function partsOf(key: string, note: string): string[] {
  return POLICIES.test(key) ? [note] : note.split('; ');
}

function codeOf(key: string, message: string): { readonly code: FindingCode; readonly level: FindingLevel } {
  if (key.startsWith('DestinationRule/') && message.startsWith('no service has the host')) {
    return { code: 'IST0174', level: 'Warning' };
  }
  // A host without a service is less than a destination without one: nothing is lost by it.
  if (MISSING.test(message) && !message.startsWith('host ')) return { code: 'IST0101', level: 'Error' };
  return { code: POLICIES.test(key) ? 'IST0167' : 'IST0171', level: 'Warning' };
}
