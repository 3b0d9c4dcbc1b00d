/** Parameters of request targets that often carry secrets, made unreadable for who only looks: by their names. */

const HIDDEN = '[hidden]';
/** A parameter in a target, or in a line of a log that has one: `?name=value`, `&name=value`. */
const PARAMETER = /([?&;#])([^=&;#?\s"'<>]{1,128})=([^&;#\s"'\\]+)/g;

/** Secret wherever one of these is a word of the name: `user_password`, `x-amz-signature`, `idToken`. */
const WORDS: ReadonlySet<string> = new Set([
  'apikey',
  'assertion',
  'auth',
  'authorization',
  'credential',
  'credentials',
  'jwt',
  'otp',
  'passcode',
  'passphrase',
  'passwd',
  'password',
  'pwd',
  'secret',
  'sig',
  'signature',
  'token',
]);
/** Secret as the whole name alone: words such as `code` and `key` are in harmless names, too. */
const NAMES: ReadonlySet<string> = new Set([
  'access_key',
  'api_key',
  'auth_code',
  'authorization_code',
  'code',
  'code_verifier',
  'key',
  'pass',
  'pin',
  'private_key',
  'session',
  'session_id',
  'sessionid',
  'sid',
  'ticket',
]);

/** The text with the values of such parameters hidden. @param text a request target, or text that quotes some */
export function hideSecretParams(text: string): string {
  return text.replace(PARAMETER, (whole, before: string, name: string) =>
    isSecretName(name) ? `${before}${name}=${HIDDEN}` : whole,
  );
}

function isSecretName(name: string): boolean {
  const words = decoded(name)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return words.some((word) => WORDS.has(word)) || NAMES.has(words.join('_')) || words.join('_').endsWith('_api_key');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A broken escape stands for itself.
    return text;
  }
}
