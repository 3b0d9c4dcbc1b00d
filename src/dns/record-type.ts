/** Numbers of the DNS registry that the mesh knows by name (RFC 1035 3.2.2, 4.1.1 and the IANA registry). */

export const RECORD_TYPE = { A: 1, CNAME: 5, AAAA: 28, OPT: 41 } as const;

export const CLASS_IN = 1;

/** Result codes; those above 15 need EDNS (RFC 6891 6.1.3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [251, 'IXFR'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);

/** The name of a record type; `Unknown` for all without one, so that the number of names is bounded. */
export function recordTypeName(type: number): string {
  return TYPE_NAMES.get(type) ?? 'Unknown';
}
