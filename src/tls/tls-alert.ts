/** Alerts of TLS 1.3 (RFC 8446 6). */

const WARNING = 1;
const FATAL = 2;

export const AlertCode = { CLOSE_NOTIFY: 0, UNEXPECTED_MESSAGE: 10, USER_CANCELED: 90 } as const;

/** As IANA lists them. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'close notify'],
  [10, 'unexpected message'],
  [20, 'bad record mac'],
  [22, 'record overflow'],
  [40, 'handshake failure'],
  [42, 'bad certificate'],
  [43, 'unsupported certificate'],
  [44, 'certificate revoked'],
  [45, 'certificate expired'],
  [46, 'certificate unknown'],
  [47, 'illegal parameter'],
  [48, 'unknown ca'],
  [49, 'access denied'],
  [50, 'decode error'],
  [51, 'decrypt error'],
  [70, 'protocol version'],
  [71, 'insufficient security'],
  [80, 'internal error'],
  [90, 'user canceled'],
  [109, 'missing extension'],
  [116, 'certificate required'],
  [120, 'no application protocol'],
]);

/** The content of an alert record. */
export function alertBytes(code: number): Uint8Array {
  const isWarning = code === AlertCode.CLOSE_NOTIFY || code === AlertCode.USER_CANCELED;
  return Uint8Array.of(isWarning ? WARNING : FATAL, code);
}

export function alertName(code: number): string {
  return NAMES.get(code) ?? `alert ${code}`;
}
