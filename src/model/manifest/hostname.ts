/** Host names of the custom resources. */

const LABEL = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9])?$/i;
const MAX_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;

/** Whether the text is a DNS name; with `wildcard`, the left-most label may be `*`. */
export function isHostname(text: string, wildcard: boolean): boolean {
  if (text.length === 0 || text.length > MAX_LENGTH) return false;
  const labels = text.split('.');
  const start = wildcard && labels[0] === '*' && labels.length > 1 ? 1 : 0;
  return labels.slice(start).every((label) => label.length <= MAX_LABEL_LENGTH && LABEL.test(label));
}
