/** Programs that answer, and programs that call them a few times a second on a connection that stays open. */
import { createServer, type Server, type Socket } from 'node:net';

const ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n${'a'.repeat(1024)}`);
const END = '\r\n\r\n';

/** Answers every request on the socket; requests have no body and come one at a time. */
export function answerOn(socket: Socket): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf(END); end >= 0; end = rest.indexOf(END)) {
      rest = rest.slice(end + END.length);
      socket.write(ANSWER);
    }
  });
  socket.on('error', () => undefined);
}

/** An application on a port of loopback. */
export function application(port: number): Promise<Server> {
  const server = createServer((socket) => answerOn(socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

export interface Caller {
  /** Answers so far. */
  readonly answers: number;
  stop(): void;
}

/** Calls on a connected socket, so often per second, as long as the answers come. */
export function callOn(socket: Socket, host: string, perSecond: number): Caller {
  let receivedBytes = 0;
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  socket.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length;
  });
  socket.on('error', () => undefined);
  const timer = setInterval(() => socket.write(request), 1000 / perSecond);
  return {
    get answers() {
      return Math.floor(receivedBytes / ANSWER.length);
    },
    stop: () => {
      clearInterval(timer);
      socket.destroy();
    },
  };
}
