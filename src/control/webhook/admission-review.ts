/**
 * AdmissionReview v1 (admission.k8s.io): what the API server asks before it stores an object, and the answer.
 *
 * Invariants:
 * - A deletion, an object that is being deleted, and an update that leaves the checked parts as they are always pass:
 *   what is stored already can be labelled, finalized and removed, however wrong it is.
 * - Metadata and status are the API server's to check.
 */
import { isDeepStrictEqual } from 'node:util';
import { fail, ok, type Result } from '../../base/result.ts';
import { DRY_RUN_ANNOTATION } from '../../model/manifest/authorization-policy.ts';
import { fieldsOf, isRecord } from '../../model/manifest/field-reader.ts';
import { type ConfigurationFindings, findProblems } from './configuration-findings.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The part of a review that counts here. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  /** As it is to be stored; undefined for deletions. */
  readonly object: Fields | undefined;
  /** As it is stored; undefined for new ones. */
  readonly oldObject: Fields | undefined;
}

export interface AdmissionVerdict {
  readonly allowed: boolean;
  /** All problems in one line; empty when it is allowed. */
  readonly message: string;
  /** Shown to whoever applies the object. */
  readonly warnings: readonly string[];
}

const API_VERSION = 'admission.k8s.io/v1';
const KIND = 'AdmissionReview';
/** Longer ones are cut off by API servers (RFC 7234 5.5 header). */
const MAX_WARNING_CHARACTERS = 256;
const MAX_WARNINGS = 10;
const MAX_LISTED_PROBLEMS = 50;
const ALLOWED: AdmissionVerdict = { allowed: true, message: '', warnings: [] };

/** Reads the body of a call. Fails with what is wrong with it. */
export function parseAdmissionReview(text: string): Result<AdmissionRequest, string> {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    return fail('the body is not JSON');
  }
  if (!isRecord(review) || review['kind'] !== KIND || review['apiVersion'] !== API_VERSION) {
    return fail(`the body is not an ${KIND} of ${API_VERSION}`);
  }
  const request = review['request'];
  if (!isRecord(request)) return fail('request is missing');
  const { uid, operation, object, oldObject } = request;
  if (typeof uid !== 'string' || uid === '') return fail('request.uid is missing');
  if (typeof operation !== 'string') return fail('request.operation is missing');
  return ok({
    uid,
    operation,
    object: isRecord(object) ? object : undefined,
    oldObject: isRecord(oldObject) ? oldObject : undefined,
  });
}

/** Decides. Never throws on parsed JSON of sane depth. */
export function reviewAdmission(request: AdmissionRequest): AdmissionVerdict {
  const { operation, object, oldObject } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (object === undefined) return { allowed: false, message: 'configuration is invalid: no object', warnings: [] };
  if (fieldsOf(object['metadata'])['deletionTimestamp']) return ALLOWED;
  const findings = findProblems(object);
  const isStored = operation === 'UPDATE' && oldObject !== undefined && hasSameContent(object, oldObject);
  return isStored ? { ...ALLOWED, warnings: boundedWarnings(findings.errors) } : verdictOf(findings);
}

/** The body of the answer. */
export function formatAdmissionReview(uid: string, verdict: AdmissionVerdict): string {
  const { allowed, message, warnings } = verdict;
  const response = {
    uid,
    allowed,
    ...(warnings.length === 0 ? {} : { warnings }),
    // Without `details`, kubectl up to 1.16 would leave the message out.
    ...(allowed ? {} : { status: { status: 'Failure', code: 422, reason: 'Invalid', message, details: {} } }),
  };
  return JSON.stringify({ apiVersion: API_VERSION, kind: KIND, response });
}

function verdictOf({ errors, warnings }: ConfigurationFindings): AdmissionVerdict {
  if (errors.length === 0) return { allowed: true, message: '', warnings: boundedWarnings(warnings) };
  const listed = errors.slice(0, MAX_LISTED_PROBLEMS);
  const more = errors.length > listed.length ? `; and ${errors.length - listed.length} more` : '';
  return {
    allowed: false,
    message: `configuration is invalid: ${listed.join('; ')}${more}`,
    warnings: boundedWarnings(warnings),
  };
}

function boundedWarnings(texts: readonly string[]): string[] {
  return texts
    .slice(0, MAX_WARNINGS)
    .map((text) => (text.length > MAX_WARNING_CHARACTERS ? `${text.slice(0, MAX_WARNING_CHARACTERS - 1)}…` : text));
}

function hasSameContent(object: Fields, oldObject: Fields): boolean {
  return (
    isDeepStrictEqual(object['spec'], oldObject['spec']) && checkedAnnotation(object) === checkedAnnotation(oldObject)
  );
}

function checkedAnnotation(object: Fields): unknown {
  return fieldsOf(fieldsOf(object['metadata'])['annotations'])[DRY_RUN_ANNOTATION];
}
