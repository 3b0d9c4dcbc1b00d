// Reads what capture.py wrote: a pcap file of Ethernet frames.
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;

/** TCP segments over IPv4 and IPv6 with something in them. */
export function* segments(pcap) {
  const little = pcap.readUInt32LE(0) === 0xa1b2c3d4;
  let offset = FILE_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= pcap.length) {
    const bytes = little ? pcap.readUInt32LE(offset + 8) : pcap.readUInt32BE(offset + 8);
    const frame = pcap.subarray(offset + RECORD_HEADER_BYTES, offset + RECORD_HEADER_BYTES + bytes);
    offset += RECORD_HEADER_BYTES + bytes;
    const segment = segmentOf(frame);
    if (segment !== undefined && segment.payload.length > 0) yield segment;
  }
}

function segmentOf(frame) {
  if (frame.length < ETHERNET_BYTES + 40) return undefined;
  const type = frame.readUInt16BE(12);
  const ip = frame.subarray(ETHERNET_BYTES);
  if (type === 0x0800) return tcpOf(ip.subarray((ip[0] & 15) * 4, ip.readUInt16BE(2)));
  return type === 0x86dd ? tcpOf(ip.subarray(40, 40 + ip.readUInt16BE(4))) : undefined;
}

function tcpOf(tcp) {
  if (tcp.length < 20) return undefined;
  return {
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    payload: tcp.subarray((tcp[12] >> 4) * 4),
  };
}

/** Whether a payload starts with a TLS record (RFC 8446 5.1). */
export function isTlsRecord(payload) {
  return payload.length >= 5 && payload[0] >= 20 && payload[0] <= 23 && payload[1] === 3 && payload[2] <= 4;
}
