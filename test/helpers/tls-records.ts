/** Records of TLS 1.3 made and opened by node:crypto alone: what the addon does is compared with it, and peers are made of it. */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

export type TestSuite = 'TLS_AES_128_GCM_SHA256' | 'TLS_AES_256_GCM_SHA384';

const SUITES = {
  TLS_AES_128_GCM_SHA256: { hash: 'sha256', cipher: 'aes-128-gcm', keyBytes: 16 },
  TLS_AES_256_GCM_SHA384: { hash: 'sha384', cipher: 'aes-256-gcm', keyBytes: 32 },
} as const;
const HEADER_BYTES = 5;
const TAG_BYTES = 16;

export const HANDSHAKE = 22;
export const ALERT = 21;
export const DATA = 23;
/** Handshake messages (RFC 8446 4.6.3). */
export const KEY_UPDATE = Buffer.of(24, 0, 0, 1, 0);
export const KEY_UPDATE_REQUESTED = Buffer.of(24, 0, 0, 1, 1);

/** HKDF-Expand-Label (RFC 8446 7.1) without a context. */
export function expandLabel(hash: string, secret: Uint8Array, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0)]);
  return createHmac(hash, secret).update(info).update(Buffer.of(1)).digest().subarray(0, length);
}

export interface OpenedRecord {
  readonly type: number;
  readonly content: Buffer;
}

/** One direction of a connection. */
export class TestRecords {
  readonly #suite: (typeof SUITES)[TestSuite];
  #secret: Buffer;
  sequence = 0n;

  constructor(suite: TestSuite, secret: Uint8Array) {
    this.#suite = SUITES[suite];
    this.#secret = Buffer.from(secret);
  }

  get key(): Buffer {
    return expandLabel(this.#suite.hash, this.#secret, 'key', this.#suite.keyBytes);
  }

  get iv(): Buffer {
    return expandLabel(this.#suite.hash, this.#secret, 'iv', 12);
  }

  /** @param inner the content, its type and the padding, as they are encrypted */
  sealInner(inner: Uint8Array, header?: Uint8Array): Buffer {
    const length = inner.length + TAG_BYTES;
    const head = header ?? Buffer.of(DATA, 3, 3, length >> 8, length & 0xff);
    const cipher = createCipheriv(this.#suite.cipher, this.key, this.#nonce()).setAAD(head);
    return Buffer.concat([head, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  seal(type: number, content: Uint8Array, paddingBytes = 0): Buffer {
    return this.sealInner(Buffer.concat([content, Buffer.of(type), Buffer.alloc(paddingBytes)]));
  }

  /** Opens every whole record. Throws at one that is wrong. */
  openAll(bytes: Buffer): OpenedRecord[] {
    const records: OpenedRecord[] = [];
    for (let at = 0; bytes.length - at >= HEADER_BYTES; ) {
      const end = at + HEADER_BYTES + bytes.readUInt16BE(at + 3);
      if (bytes.length < end) break;
      records.push(this.open(bytes.subarray(at, end)));
      at = end;
    }
    return records;
  }

  open(record: Buffer): OpenedRecord {
    const cipher = createDecipheriv(this.#suite.cipher, this.key, this.#nonce(), { authTagLength: TAG_BYTES });
    cipher.setAAD(record.subarray(0, HEADER_BYTES)).setAuthTag(record.subarray(-TAG_BYTES));
    const inner = Buffer.concat([cipher.update(record.subarray(HEADER_BYTES, -TAG_BYTES)), cipher.final()]);
    const end = inner.findLastIndex((byte) => byte !== 0);
    const type = inner[end];
    if (type === undefined) throw new Error('the record has no content type');
    return { type, content: inner.subarray(0, end) };
  }

  /** Goes on to the next keys (RFC 8446 7.2). */
  update(): void {
    this.#secret = expandLabel(this.#suite.hash, this.#secret, 'traffic upd', this.#secret.length);
    this.sequence = 0n;
  }

  #nonce(): Buffer {
    const nonce = this.iv;
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.sequence, 4);
    this.sequence++;
    return nonce;
  }
}
