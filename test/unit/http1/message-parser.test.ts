import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytes, type ReadOptions, read, readText } from './harness.ts';
import { CORPUS } from './smuggling-corpus.ts';

const CONTEXT = { method: 'GET', upgrade: false };

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cuts a message at random places, or after each byte. */
function pieces(message: Buffer, random: (below: number) => number, most: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const end = at + 1 + random(most);
    cut.push(message.subarray(at, end));
    at = end;
  }
  return cut;
}

function headersOf(text: string, options?: ReadOptions) {
  const { messages, fault } = readText(text, options);
  assert.equal(fault, undefined);
  return messages[0]?.heads[0]?.headers;
}

function statusOf(text: string, options?: ReadOptions): number | undefined {
  return readText(text, options).fault?.status;
}

function withField(field: string): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`;
}

describe('a request head', () => {
  test('becomes pseudo-headers and lower-case names, in order', () => {
    assert.deepEqual(
      headersOf('GET /x?y HTTP/1.1\r\nX-One:  1 \r\nHost: a.example:80\r\nAccept: */*\r\nx-one: 2\r\n\r\n'),
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':authority', 'a.example:80'],
        [':path', '/x?y'],
        ['x-one', '1'],
        ['accept', '*/*'],
        ['x-one', '2'],
      ],
    );
  });

  test('in absolute form has the authority of its target, whatever Host says', () => {
    assert.deepEqual(headersOf('GET http://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n')?.slice(2), [
      [':authority', 'b.example'],
      [':path', '/?q'],
    ]);
  });

  test('in absolute form of OPTIONS without a path has the asterisk', () => {
    assert.deepEqual(headersOf('OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\n\r\n')?.[3], [':path', '*']);
  });

  test('of CONNECT has method and authority only', () => {
    assert.deepEqual(headersOf('CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n'), [
      [':method', 'CONNECT'],
      [':authority', 'b.example:443'],
    ]);
    assert.equal(statusOf('CONNECT b.example HTTP/1.1\r\nHost: a\r\n\r\n'), 400);
    assert.equal(statusOf('CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n'), 400);
  });

  test('of HTTP/1.0 needs no Host and ends the connection unless it says otherwise', () => {
    const { heads = [] } = readText('GET / HTTP/1.0\r\n\r\n').messages[0] ?? {};
    assert.deepEqual(
      heads[0]?.headers.map(([name]) => name),
      [':method', ':scheme', ':path'],
    );
    assert.equal(heads[0]?.keepAlive, false);
    const kept = readText('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n').messages[0];
    assert.equal(kept?.heads[0]?.keepAlive, true);
  });

  test('loses what concerns its connection, and what Connection names', () => {
    const text =
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop , te\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n' +
      'TE: trailers\r\nUpgrade: websocket\r\nX-Stays: 1\r\n\r\n';
    assert.deepEqual(headersOf(text)?.slice(4), [
      ['te', 'trailers'],
      ['x-stays', '1'],
    ]);
    assert.equal(readText(text).messages[0]?.heads[0]?.keepAlive, false);
  });

  test('keeps fields for all recipients although Connection names them', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: authorization, x-forwarded-for\r\nAuthorization: b\r\n\r\n';
    assert.deepEqual(headersOf(text)?.at(-1), ['authorization', 'b']);
  });

  test('keeps Upgrade when Connection names it, but never that of h2c or of a request with a body', () => {
    const upgrade = (fields: string) =>
      headersOf(`GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n${fields}\r\n`)?.slice(4);
    assert.deepEqual(upgrade('Upgrade: websocket\r\n'), [['upgrade', 'websocket']]);
    assert.deepEqual(upgrade('Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n'), []);
    assert.deepEqual(upgrade('Upgrade: websocket, H2C\r\n'), []);
    assert.deepEqual(upgrade('Upgrade: websocket\r\nContent-Length: 1\r\n'), [['content-length', '1']]);
  });

  test('names of all kinds stay what they are, also those of object prototypes', () => {
    const names = ['__proto__', 'constructor', 'hasownproperty', '1', 'x_y', "!#$%&'*+-.^_`|~"];
    const text = `GET / HTTP/1.1\r\nHost: a\r\n${names.map((name) => `${name}: v\r\n`).join('')}\r\n`;
    assert.deepEqual(
      headersOf(text)?.slice(4),
      names.map((name) => [name, 'v']),
    );
  });

  test('is answered by its kind of fault', () => {
    assert.equal(statusOf(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), 414);
    assert.equal(statusOf(withField(`X: ${'a'.repeat(70_000)}`)), 431);
    assert.equal(statusOf(withField(Array.from({ length: 101 }, (_, at) => `X-${at}: 1`).join('\r\n'))), 431);
    assert.equal(statusOf('GET / HTTP/3.0\r\nHost: a\r\n\r\n'), 505);
    assert.equal(statusOf(`${'M'.repeat(40)} / HTTP/1.1\r\nHost: a\r\n\r\n`), 501);
    assert.equal(statusOf(withField('Transfer-Encoding: gzip, chunked')), 501);
    assert.equal(statusOf(withField('Transfer-Encoding: chunked\r\nContent-Length: 1')), 400);
    assert.equal(statusOf(withField('Connection: a b')), 400);
  });

  test('of exactly 100 fields and 60 KiB is read', () => {
    const fields = Array.from({ length: 99 }, (_, at) => `X-${at}: 1\r\n`).join('');
    const short = `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
    assert.equal(statusOf(short), undefined);
    const filled = short.replace('X-0: 1', `X-0: ${'1'.repeat(61_440 - short.length + 1)}`);
    assert.equal(filled.length, 61_440);
    assert.equal(statusOf(filled), undefined);
    assert.equal(statusOf(filled.replace('X-1: 1', 'X-1: 11')), 431);
  });
});

describe('a response', () => {
  test('has its status first', () => {
    assert.deepEqual(headersOf('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', { context: CONTEXT }), [
      [':status', '404'],
      ['content-length', '0'],
    ]);
  });

  test('without length lasts until the connection ends', () => {
    const { messages } = readText('HTTP/1.1 200 OK\r\n\r\nabc', { context: CONTEXT, end: true });
    assert.equal(messages[0]?.body, 'abc');
    assert.equal(messages[0]?.complete, true);
    assert.equal(messages[0]?.heads[0]?.keepAlive, false);
  });

  for (const [what, text, context] of [
    ['to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { method: 'HEAD', upgrade: false }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', CONTEXT],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', CONTEXT],
    ['without a reason', 'HTTP/1.1 204\r\n\r\n', CONTEXT],
  ] as const) {
    test(`${what} has no body`, () => {
      assert.equal(readText(text, { context }).messages[0]?.complete, true);
    });
  }

  test('follows interim ones', () => {
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na';
    const [message] = readText(text, { context: CONTEXT }).messages;
    assert.deepEqual(
      message?.heads.map(({ status }) => status),
      [100, 103, 200],
    );
    assert.equal(message?.body, 'a');
  });

  for (const text of [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 OK\n\n',
  ]) {
    test(`is refused when it reads ${JSON.stringify(text)}`, () => {
      assert.notEqual(statusOf(text, { context: CONTEXT }), undefined);
    });
  }
});

describe('a chunked body', () => {
  const body = (text: string) => readText(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${text}`);

  test('is put together, its extensions dropped', () => {
    const [message] = body('3;a="b c"\r\nabc\r\n00A\r\n0123456789\r\n0;x\r\n\r\n').messages;
    assert.equal(message?.body, 'abc0123456789');
    assert.equal(message?.complete, true);
  });

  test('has trailers, but none that route or authenticate', () => {
    const [message] = body('0\r\nGrpc-Status: 0\r\nAuthorization: x\r\nHost: b\r\nX-Forwarded-For: 1\r\n\r\n').messages;
    assert.deepEqual(message?.trailers, [['grpc-status', '0']]);
  });

  test('has bounds for sizes, extensions and trailers', () => {
    assert.equal(body('fffffffffffff\r\n').fault, undefined);
    assert.equal(body('10000000000000\r\n').fault?.status, 400);
    assert.equal(body(`1;${'a'.repeat(5000)}\r\n`).fault?.status, 400);
    assert.equal(body(`1;${'a'.repeat(3000)}\r\na\r\n1;${'a'.repeat(3000)}\r\na\r\n`).fault?.status, 400);
    assert.equal(body(`0\r\nX: ${'a'.repeat(9000)}\r\n\r\n`).fault?.status, 431);
    assert.equal(body(`0\r\n${'X: a\r\n'.repeat(33)}\r\n`).fault?.status, 431);
  });
});

describe('however a message is split', () => {
  const limits = { headBytes: 300, startLineBytes: 60, fields: 8 };
  const extra = [
    `GET /${'a'.repeat(80)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /${'a'.repeat(80)}\nGET`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(400)}\nY: b\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: \ny${'a'.repeat(400)}\r\n\r\n`,
    'GET / HTTP/9.9\r\nHost: a\r\nX: a\nb\r\n\r\n',
    `GET / HTTP/9.9\r\nHost: a\r\n${'X: y\r\n'.repeat(20)}\r\n`,
  ];
  for (const [index, text] of [...CORPUS.map((vector) => vector.text), ...extra].entries()) {
    for (const [kind, options] of Object.entries({
      default: {},
      narrow: { limits },
      response: { context: CONTEXT, limits: { headBytes: 200 } },
    })) {
      test(`its reading is the same: ${kind} ${index}`, () => {
        const message = bytes(kind === 'response' ? text.replace(/^\S+ \S+ HTTP\/1\.1/, 'HTTP/1.1 200 OK') : text);
        const { messages, fault } = read([message], options);
        const random = generator(index + 1);
        for (const most of [1, 3, 40, 40, 40]) {
          const split = read(pieces(message, random, most), options);
          assert.deepEqual({ messages: split.messages, fault: split.fault }, { messages, fault });
        }
      });
    }
  }

  test('it never holds more than one head', () => {
    const endless = bytes(`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(100_000)}`);
    const { mostHeldBytes, fault } = read(pieces(endless, generator(1), 65_536));
    assert.equal(fault?.status, 431);
    assert.ok(mostHeldBytes <= 61_444);
  });
});
