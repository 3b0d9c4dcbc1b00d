/** Another process on a SEQPACKET socket: sends a packet with a descriptor of the file it was given, prints the answer. */
import { openSync } from 'node:fs';
import { SeqpacketConnection } from '../../src/native/seqpacket.ts';

const [path = '', file = ''] = process.argv.slice(2);
const connection = SeqpacketConnection.connect(path);
connection.start({
  onPacket: ({ bytes }) => {
    console.log(bytes.toString());
    connection.close();
  },
  onEnd: () => process.exit(0),
});
await connection.send(Buffer.from('take this'), openSync(file, 'r'));
