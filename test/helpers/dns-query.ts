/** A DNS client for tests: queries built by hand, answers read by the strict parser. */
import { once } from 'node:events';
import type { DnsMessage, DnsRecord } from '../../src/dns/dns-message.ts';
import { parseDnsMessage } from '../../src/dns/dns-message.ts';
import { nameLabels, readDnsName } from '../../src/dns/dns-name.ts';
import { DnsFrameReader, frameDnsMessage } from '../../src/dns/dns-stream.ts';
import { ipFromBytes } from '../../src/model/address.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';

export const TYPE_A = 1;
export const TYPE_TXT = 16;
export const TYPE_AAAA = 28;

export interface QueryFields {
  readonly id?: number;
  readonly class?: number;
  readonly opcode?: number;
  readonly edns?: { readonly payloadBytes: number; readonly version?: number; readonly dnssecOk?: boolean };
}

/** The bytes of a query with RD set. */
export function queryBytes(name: string, type: number = TYPE_A, fields: QueryFields = {}): Buffer {
  const { id = 0x1234, opcode = 0, edns } = fields;
  const labels = (nameLabels(name) ?? []).flatMap((label) => [Buffer.from([label.length]), label]);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100 | (opcode << 11), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(edns === undefined ? 0 : 1, 10);
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(type, 1);
  tail.writeUInt16BE(fields.class ?? 1, 3);
  return Buffer.concat([header, ...labels, tail, edns === undefined ? Buffer.alloc(0) : optionBytes(edns)]);
}

function optionBytes({ payloadBytes, version = 0, dnssecOk = false }: NonNullable<QueryFields['edns']>): Buffer {
  const bytes = Buffer.alloc(11);
  bytes.writeUInt16BE(41, 1);
  bytes.writeUInt16BE(payloadBytes, 3);
  bytes[6] = version;
  bytes.writeUInt16BE(dnssecOk ? 0x8000 : 0, 7);
  return bytes;
}

/** An answer as a test looks at it: addresses as text, CNAMEs as `owner -> target`. */
export interface SeenAnswer {
  readonly message: DnsMessage;
  readonly rcode: number;
  readonly addresses: readonly string[];
  readonly cnames: readonly string[];
  readonly bytes: Buffer;
}

/** Reads an answer; throws when it is malformed. */
export function readAnswer(bytes: Buffer): SeenAnswer {
  const message = parseDnsMessage(bytes);
  if (message === undefined) throw new Error(`malformed answer ${bytes.toString('hex')}`);
  const target = ({ dataOffset }: DnsRecord) => readDnsName(bytes, dataOffset)?.name;
  return {
    message,
    rcode: message.rcode,
    addresses: message.answers
      .filter(({ type }) => type === TYPE_A || type === TYPE_AAAA)
      .map(({ data }) => ipFromBytes(data) ?? ''),
    cnames: message.answers.filter(({ type }) => type === 5).map((record) => `${record.name} -> ${target(record)}`),
    bytes,
  };
}

/** Where a client asks from and whom. */
export interface AskTarget {
  /** Network namespace to ask from. Default: the own. */
  readonly netnsFd?: number;
  readonly address: string;
  readonly port?: number;
}

/** Asks over UDP; rejects after 6 s without an answer. */
export async function askUdp(target: AskTarget, query: Buffer): Promise<SeenAnswer> {
  const { address, port = 53 } = target;
  const any = address.includes(':') ? '::' : '0.0.0.0';
  const place = target.netnsFd === undefined ? {} : { netnsFd: target.netnsFd };
  const socket = await bindUdp({ endpoint: { address: any, port: 0 }, ...place });
  try {
    socket.send(query, port, address);
    const [bytes, from] = await once(socket, 'message', { signal: AbortSignal.timeout(6000) });
    if (from.port !== port || !from.address.endsWith(address)) throw new Error(`answer from ${from.address}`);
    return readAnswer(bytes);
  } finally {
    socket.close();
  }
}

/** Asks over one TCP connection; resolves with as many answers as there are queries. */
export async function askTcp(target: AskTarget, ...queries: Buffer[]): Promise<SeenAnswer[]> {
  const { address, port = 53, netnsFd } = target;
  const socket = await dialTcp({ destination: { address, port }, ...(netnsFd === undefined ? {} : { netnsFd }) });
  const reader = new DnsFrameReader(65535);
  const answers: SeenAnswer[] = [];
  try {
    socket.write(Buffer.concat(queries.map((query) => frameDnsMessage(query))));
    const signal = AbortSignal.timeout(8000);
    while (answers.length < queries.length) {
      const [chunk] = await once(socket, 'data', { signal });
      for (const message of reader.push(chunk) ?? []) answers.push(readAnswer(message));
    }
    return answers;
  } finally {
    socket.destroy();
  }
}
