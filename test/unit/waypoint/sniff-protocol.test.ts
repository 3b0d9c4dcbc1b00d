import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sniffProtocol } from '../../../src/waypoint/sniff-protocol.ts';

const sniff = (text: string) => sniffProtocol(Buffer.from(text, 'latin1'));

describe('the protocol of a connection', () => {
  it('is HTTP/1 by a request line', () => {
    assert.equal(sniff('GET / HTTP/1.1\r\n'), 'http1');
    assert.equal(sniff('M-SEARCH * HTTP/1.0\r\nHost: a\r\n'), 'http1');
    assert.equal(sniff(`GET /${'a'.repeat(2000)}`), 'http1');
  });

  it('is HTTP/2 by its preface', () => {
    assert.equal(sniff('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0'), 'http2');
  });

  it('is unknown as long as both are possible', () => {
    for (const text of ['', 'G', 'GET', 'GET ', 'GET /index', 'PRI * HTTP/2.0\r\n\r\nSM']) {
      assert.equal(sniff(text), undefined, JSON.stringify(text));
    }
  });

  it('is something else otherwise', () => {
    const texts = [
      '\x16\x03\x01\x02',
      'hello\r\n',
      'SSH-2.0-x\r\n',
      'GET /\r\n',
      'GET / HTTP/2.0\r\n',
      'a\0b',
      '*1\r\n$4',
    ];
    for (const text of [...texts, 'x'.repeat(40), 'PRI * HTTP/2.1\r\n\r\n', 'b\xe9 / HTTP/1.1\r\n']) {
      assert.equal(sniff(text), 'tcp', JSON.stringify(text));
    }
  });

  it('is the same whatever the pieces in which the bytes come', () => {
    for (const text of ['GET /a HTTP/1.1\r\nHost: x\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'hello world\r\n']) {
      const whole = sniff(text);
      for (let length = 1; length < text.length; length++) {
        const part = sniff(text.slice(0, length));
        assert.ok(part === undefined || part === whole, `${JSON.stringify(text.slice(0, length))}: ${part}`);
      }
    }
  });
});
