/** Keys of TLS 1.3 for one direction of a connection, made from the secret that its handshake agreed on (RFC 8446 7.3). */
import { type NativeRecordKeys, nativeAddon } from './addon.ts';

export type { NativeRecordKeys };

/** What a record holds (RFC 8446 5.1). */
export const ContentType = { ALERT: 21, HANDSHAKE: 22, APPLICATION_DATA: 23 } as const;

/** Cipher suites that there are keys for, with the bits of their key. */
const KEY_BITS: ReadonlyMap<string, 128 | 256> = new Map([
  ['TLS_AES_128_GCM_SHA256', 128],
  ['TLS_AES_256_GCM_SHA384', 256],
]);

/** Full-size records that AES-GCM may protect with one key (RFC 8446 5.5: 2^24.5); then the key is changed. */
const MAX_RECORDS = 2 ** 24;

export interface RecordKeysOptions {
  /** IANA name of the suite. */
  readonly suite: string;
  /** `CLIENT_TRAFFIC_SECRET_0` or `SERVER_TRAFFIC_SECRET_0`. */
  readonly secret: Uint8Array;
  readonly direction: 'read' | 'write';
  /** Records that the keys protected already. Default 0. */
  readonly sequence?: number;
  /** Default 2^24. */
  readonly maxRecords?: number;
}

/** @returns undefined for a suite or a secret that does not fit */
export function recordKeys(options: RecordKeysOptions): NativeRecordKeys | undefined {
  const { suite, secret, direction, sequence = 0, maxRecords = MAX_RECORDS } = options;
  const keyBits = KEY_BITS.get(suite);
  if (keyBits === undefined || secret.length !== (keyBits === 256 ? 48 : 32)) return undefined;
  return new (nativeAddon().RecordKeys)(keyBits, secret, direction === 'write', sequence, maxRecords);
}
