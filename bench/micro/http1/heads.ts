/** Heads of HTTP/1.1: read from the wire, and written. */
import assert from 'node:assert/strict';
import type { HttpHeader } from '../../../src/http/http-stream.ts';
import { writeRequestHead, writeResponseHead } from '../../../src/http1/head-writer.ts';
import { DEFAULT_HTTP1_LIMITS } from '../../../src/http1/limits.ts';
import { MessageParser, type MessageRole } from '../../../src/http1/message-parser.ts';
import { BROWSER, RESPONSE } from '../http2/header-lists.ts';
import type { MicroBench } from '../suite.ts';

const SMALL: readonly HttpHeader[] = BROWSER.slice(0, 6);
const CONTEXT = { method: 'GET', upgrade: false };
const ANSWERED = { ...CONTEXT, minorVersion: 1, close: false } as const;
const BODY = Buffer.alloc(1024, 0x62);

function nothing(): void {
  // The bench only asks what reading costs.
}

function requestText(headers: readonly HttpHeader[]): string {
  const head = writeRequestHead(headers, true);
  if (typeof head === 'string') throw new Error(head);
  return head.text;
}

function responseText(): string {
  const head = writeResponseHead(RESPONSE, false, ANSWERED);
  if (typeof head === 'string') throw new Error(head);
  return head.text;
}

function read(name: string, role: MessageRole, bytes: Buffer): MicroBench {
  let messages = 0;
  const parser = new MessageParser(role, DEFAULT_HTTP1_LIMITS, {
    onHead: nothing,
    onBody: nothing,
    onTrailers: nothing,
    onComplete: () => {
      messages += 1;
    },
  });
  const run = () => {
    parser.execute(bytes, 0);
    parser.next(CONTEXT);
  };
  run();
  assert.deepEqual({ messages, fault: parser.fault }, { messages: 1, fault: undefined });
  return { name, run };
}

export function benches(): readonly MicroBench[] {
  const request = { kind: 'request', scheme: 'http' } as const;
  const response = () => ({ kind: 'response', context: CONTEXT }) as const;
  const head = responseText();
  const chunks = head.replace('content-length: 1024', 'transfer-encoding: chunked');
  return [
    read('read a small request', request, Buffer.from(requestText(SMALL))),
    read("read a browser's request", request, Buffer.from(requestText(BROWSER))),
    read('read a response of 1 KB', response(), Buffer.concat([Buffer.from(head), BODY])),
    read(
      'read a response of 1 KB in chunks',
      response(),
      Buffer.concat([Buffer.from(`${chunks}400\r\n`), BODY, Buffer.from('\r\n0\r\n\r\n')]),
    ),
    { name: 'write a small request', run: () => writeRequestHead(SMALL, true) },
    { name: "write a browser's request", run: () => writeRequestHead(BROWSER, true) },
    { name: 'write a response', run: () => writeResponseHead(RESPONSE, false, ANSWERED) },
  ];
}
