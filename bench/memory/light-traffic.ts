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
  /** So far, with status 200. */
  readonly answers: number;
  /** Another status that came, as text. */
  readonly refused: string | undefined;
  /** Why there is no connection any more. */
  readonly lost: string | undefined;
  stop(): void;
}

/** Calls on a connected socket, so often per second, whether or not answers come. */
export function callOn(socket: Socket, host: string, perSecond: number): Caller {
  const statuses = new StatusCounter();
  let lost: string | undefined;
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  socket.on('data', (chunk: Buffer) => statuses.push(chunk));
  socket.on('error', (error) => {
    lost ??= error.message;
  });
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      lost ??= 'the other side closed it';
    });
  }
  const timer = setInterval(() => socket.write(request), 1000 / perSecond);
  return {
    get answers() {
      return statuses.answers;
    },
    get refused() {
      return statuses.refused;
    },
    get lost() {
      return lost;
    },
    stop: () => {
      clearInterval(timer);
      socket.destroy();
    },
  };
}

const STATUS = /HTTP\/1\.1 (\d{3})/g;
const STATUS_LENGTH = 'HTTP/1.1 200'.length;

/** Counts answers by their status lines: proxies add headers, so that bytes say nothing. A line may come in two chunks. */
class StatusCounter {
  answers = 0;
  refused: string | undefined;
  #rest = '';

  push(chunk: Buffer): void {
    const text = this.#rest + chunk.toString('latin1');
    for (const [, status] of text.matchAll(STATUS)) {
      if (status === '200') this.answers++;
      else this.refused = `status ${status}`;
    }
    // Too short for a whole one, which would be counted twice.
    this.#rest = text.slice(1 - STATUS_LENGTH);
  }
}
