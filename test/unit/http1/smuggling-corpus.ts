/** Requests that implementations were found to read differently. CR and LF are written out. */

export interface Vector {
  readonly name: string;
  readonly text: string;
  /** Set when this codec refuses what Node's strict parser takes: why. */
  readonly stricter?: string;
  /** Set when this codec reads a message more than Node takes: why. */
  readonly wider?: string;
}

const HOST = 'Host: a.example\r\n';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n';
const CHUNKED_ABC = '3\r\nabc\r\n0\r\n\r\n';

/** A POST with these field lines and this body. */
function post(fields: string, body = CHUNKED_ABC, version = '1.1'): string {
  return `POST /p HTTP/${version}\r\n${HOST}${fields}\r\n${body}`;
}

/** A GET with these field lines, and another request behind it. */
function get(fields: string): string {
  return `GET /g HTTP/1.1\r\n${fields}\r\n${SMUGGLED}`;
}

function line(requestLine: string): string {
  return `${requestLine}\r\n${HOST}\r\n`;
}

const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

const FRAMING: readonly Vector[] = [
  { name: 'CL.TE', text: post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`) },
  {
    name: 'TE.CL',
    text: post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${SMUGGLED}\r\n0\r\n\r\n`),
  },
  { name: 'TE.TE, second obscured', text: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n') },
  {
    name: 'TE.TE, first obscured',
    text: post('Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n'),
    stricter: 'one Transfer-Encoding, and it is chunked',
  },
  { name: 'TE twice chunked in two lines', text: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n') },
  { name: 'TE chunked, identity', text: post('Transfer-Encoding: chunked, identity\r\n') },
  {
    name: 'TE identity, chunked',
    text: post('Transfer-Encoding: identity, chunked\r\n'),
    stricter: 'identity is no coding any more (RFC 9112 7)',
  },
  { name: 'TE chunked, chunked', text: post('Transfer-Encoding: chunked, chunked\r\n') },
  {
    name: 'TE gzip, chunked',
    text: post('Transfer-Encoding: gzip, chunked\r\n'),
    stricter: 'a coding that is not undone cannot be passed on (501)',
  },
  { name: 'TE gzip', text: post('Transfer-Encoding: gzip\r\n') },
  { name: 'TE identity with CL', text: post('Transfer-Encoding: identity\r\nContent-Length: 3\r\n', 'abc') },
  { name: 'TE xchunked', text: post('Transfer-Encoding: xchunked\r\n') },
  { name: 'TE chunkedx', text: post('Transfer-Encoding: chunkedx\r\n') },
  { name: 'TE with vertical tab', text: post('Transfer-Encoding: chunked\x0b\r\n') },
  { name: 'TE with leading vertical tab', text: post('Transfer-Encoding: \x0bchunked\r\n') },
  { name: 'TE with form feed', text: post('Transfer-Encoding: \x0cchunked\r\n') },
  { name: 'TE with NUL', text: post('Transfer-Encoding: chunked\0\r\n') },
  { name: 'TE with no-break space', text: post('Transfer-Encoding: \xa0chunked\r\n') },
  { name: 'TE quoted', text: post('Transfer-Encoding: "chunked"\r\n') },
  { name: 'TE with a parameter', text: post('Transfer-Encoding: chunked;q=1\r\n') },
  {
    name: 'TE with an empty element',
    text: post('Transfer-Encoding: , chunked\r\n'),
    stricter: 'one Transfer-Encoding, and it is chunked',
  },
  { name: 'TE with a trailing comma', text: post('Transfer-Encoding: chunked,\r\n') },
  { name: 'TE empty', text: post('Transfer-Encoding:\r\n') },
  { name: 'TE empty, with CL', text: post('Transfer-Encoding: \r\nContent-Length: 3\r\n', 'abc') },
  { name: 'TE name followed by a space', text: post('Transfer-Encoding : chunked\r\n') },
  { name: 'TE name followed by a tab', text: post('Transfer-Encoding\t: chunked\r\n') },
  { name: 'TE name led by a space', text: post('X: y\r\n Transfer-Encoding: chunked\r\n') },
  { name: 'TE name with an underscore', text: post('Transfer_Encoding: chunked\r\nContent-Length: 3\r\n', 'abc') },
  { name: 'TE folded', text: post('Transfer-Encoding:\r\n chunked\r\n') },
  { name: 'TE folded with a tab', text: post('Transfer-Encoding: chunked\r\n\t, identity\r\n') },
  { name: 'TE in upper case', text: post('TRANSFER-ENCODING: CHUNKED\r\n') },
  { name: 'TE with blanks around', text: post('Transfer-Encoding: \t chunked \t \r\n') },
  {
    name: 'TE in HTTP/1.0',
    text: post('Transfer-Encoding: chunked\r\n', CHUNKED_ABC, '1.0'),
    stricter: 'RFC 9112 6.1: framing is faulty',
  },
  { name: 'TE behind a bare LF', text: post('X: y\nTransfer-Encoding: chunked\r\n') },
  { name: 'TE behind a bare CR', text: post('X: y\rTransfer-Encoding: chunked\r\n') },
  { name: 'TE on GET', text: `GET / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${CHUNKED_ABC}` },
];

const LENGTHS: readonly Vector[] = [
  { name: 'CL repeated, equal', text: post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc') },
  { name: 'CL repeated, different', text: post('Content-Length: 3\r\nContent-Length: 0\r\n', 'abc') },
  { name: 'CL as a list', text: post('Content-Length: 3, 3\r\n', 'abc') },
  { name: 'CL with a plus', text: post('Content-Length: +3\r\n', 'abc') },
  { name: 'CL negative', text: post('Content-Length: -3\r\n', 'abc') },
  { name: 'CL hexadecimal', text: post('Content-Length: 0x3\r\n', 'abc') },
  { name: 'CL with a fraction', text: post('Content-Length: 3.0\r\n', 'abc') },
  { name: 'CL with an exponent', text: post('Content-Length: 3e0\r\n', 'abc') },
  { name: 'CL with a space inside', text: post('Content-Length: 3 3\r\n', 'abc') },
  { name: 'CL with an underscore', text: post('Content-Length: 0_3\r\n', 'abc') },
  { name: 'CL empty', text: post('Content-Length:\r\n', '') },
  { name: 'CL overflows 64 bits', text: post('Content-Length: 18446744073709551619\r\n', 'abc') },
  { name: 'CL with leading zeros', text: post('Content-Length: 003\r\n', 'abc') },
  { name: 'CL followed by a space in the name', text: post('Content-Length : 3\r\n', 'abc') },
  { name: 'CL folded', text: post('Content-Length:\r\n 3\r\n', 'abc') },
  { name: 'CL with digits of another script', text: post('Content-Length: \xb2\r\n', 'abc') },
  { name: 'CL on GET', text: `GET / HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}` },
  { name: 'CL nominated by Connection', text: post('Connection: content-length\r\nContent-Length: 3\r\n', 'abc') },
];

const CHUNKS: readonly Vector[] = [
  { name: 'chunk size with 0x', text: chunked('0x3\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size with a plus', text: chunked('+3\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size negative', text: chunked('-3\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size led by a space', text: chunked(' 3\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size followed by a space', text: chunked('3 \r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size followed by a tab', text: chunked('3\t\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size empty', text: chunked('\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size overflows 64 bits', text: chunked('10000000000000003\r\nabc\r\n0\r\n\r\n') },
  {
    name: 'chunk size with many zeros',
    text: chunked(`${'0'.repeat(20)}3\r\nabc\r\n0\r\n\r\n`),
    stricter: 'sizes have a bound of digits, so that none can overflow anywhere',
  },
  { name: 'chunk size with leading zeros', text: chunked('0003\r\nabc\r\n000\r\n\r\n') },
  { name: 'chunk size in both cases', text: chunked('a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n') },
  { name: 'chunk size ends with LF', text: chunked('3\nabc\r\n0\r\n\r\n') },
  { name: 'chunk size ends with CR', text: chunked('3\rabc\r\n0\r\n\r\n') },
  { name: 'chunk data ends with LF', text: chunked('3\r\nabc\n0\r\n\r\n') },
  { name: 'chunk data without CRLF', text: chunked('3\r\nabc0\r\n\r\n') },
  { name: 'chunk data longer than said', text: chunked('3\r\nabcd\r\n0\r\n\r\n') },
  { name: 'last chunk ends with LF', text: chunked('3\r\nabc\r\n0\n\r\n') },
  { name: 'last chunk ends with CR', text: chunked('3\r\nabc\r\n0\rXX: y\r\n\r\n') },
  { name: 'trailer section ends with LF', text: chunked('3\r\nabc\r\n0\r\n\n') },
  { name: 'chunk extension', text: chunked('3;a=b\r\nabc\r\n0;c\r\n\r\n') },
  { name: 'chunk extension with a bare LF', text: chunked('3;a\nb\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk extension with a bare CR', text: chunked('3;a\rb\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk extension with a NUL', text: chunked('3;a\0\r\nabc\r\n0\r\n\r\n') },
  { name: 'chunk extensions of 20 KB', text: chunked(`3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`) },
  { name: 'space before a chunk extension', text: chunked('3 ;a=b\r\nabc\r\n0\r\n\r\n') },
  { name: 'trailer that frames', text: chunked('3\r\nabc\r\n0\r\nContent-Length: 50\r\nHost: b\r\n\r\n') },
  { name: 'trailer folded', text: chunked('3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n') },
  { name: 'trailer with a bare LF', text: chunked('3\r\nabc\r\n0\r\nX: y\nZ: w\r\n\r\n') },
  { name: 'trailer without a colon', text: chunked(`3\r\nabc\r\n0\r\n${SMUGGLED}`) },
  { name: 'request behind a chunked body', text: chunked(`${CHUNKED_ABC}${SMUGGLED}`) },
];

const FIELDS: readonly Vector[] = [
  { name: 'field folded', text: get(`${HOST}X: y\r\n z\r\n`) },
  { name: 'first field folded', text: get(` X: y\r\n${HOST}`) },
  { name: 'field without a colon', text: get(`${HOST}X\r\n`) },
  { name: 'field without a name', text: get(`${HOST}: y\r\n`) },
  { name: 'field name with a space', text: get(`${HOST}X Y: z\r\n`) },
  { name: 'field name with a parenthesis', text: get(`${HOST}X(: z\r\n`) },
  { name: 'field name with a NUL', text: get(`${HOST}X\0: z\r\n`) },
  { name: 'field name beyond ASCII', text: get(`${HOST}X\xe4: z\r\n`) },
  { name: 'field value with a NUL', text: get(`${HOST}X: a\0b\r\n`) },
  { name: 'field value with a bare CR', text: get(`${HOST}X: a\rb\r\n`) },
  { name: 'field value with a bare LF', text: get(`${HOST}X: a\nY: b\r\n`) },
  { name: 'field value with DEL', text: get(`${HOST}X: a\x7fb\r\n`) },
  { name: 'field value with escape', text: get(`${HOST}X: a\x1bb\r\n`) },
  { name: 'field value beyond ASCII', text: get(`${HOST}X: a\xe4b\r\n`) },
  { name: 'field value with tabs inside', text: get(`${HOST}X: a\tb\r\n`) },
  { name: 'head ends with LF LF', text: `GET / HTTP/1.1\n${HOST.replace('\r', '')}\n${SMUGGLED}` },
  { name: 'head ends with CRLF LF', text: `GET / HTTP/1.1\r\n${HOST}\n${SMUGGLED}` },
  { name: 'head ends with CR CR', text: `GET / HTTP/1.1\r\n${HOST}\r\r${SMUGGLED}` },
  { name: 'prototype as a name', text: get(`${HOST}__proto__: x\r\nconstructor: y\r\n`) },
  { name: 'connection nominates a field', text: get(`${HOST}Connection: x-a, keep-alive\r\nX-A: 1\r\nX-B: 2\r\n`) },
];

const HOSTS: readonly Vector[] = [
  { name: 'no Host', text: get(''), stricter: 'a refused request ends the connection; Node reads on' },
  {
    name: 'Host repeated, equal',
    text: get(`${HOST}${HOST}`),
    stricter: 'RFC 9112 3.2: more than one Host is answered with 400',
  },
  {
    name: 'Host repeated, different',
    text: get(`${HOST}Host: b.example\r\n`),
    stricter: 'RFC 9112 3.2: more than one Host is answered with 400',
  },
  { name: 'Host empty', text: get('Host:\r\n'), stricter: 'a proxy cannot route without an authority' },
  { name: 'Host with a user', text: get('Host: u@a.example\r\n'), stricter: 'RFC 3986 3.2.2: no host' },
  { name: 'Host with a path', text: get('Host: a.example/x\r\n'), stricter: 'RFC 3986 3.2.2: no host' },
  { name: 'Host as a list', text: get('Host: a.example, b.example\r\n'), stricter: 'RFC 3986 3.2.2: no host' },
  { name: 'Host with a space', text: get('Host: a.example b\r\n'), stricter: 'RFC 3986 3.2.2: no host' },
  { name: 'Host with a port beyond 65535', text: get('Host: a.example:99999\r\n'), stricter: 'no port' },
  { name: 'Host with letters as port', text: get('Host: a.example:x\r\n'), stricter: 'no port' },
  { name: 'Host with a space before the colon', text: get('Host : a.example\r\n') },
  { name: 'Host folded', text: get('Host:\r\n a.example\r\n') },
  { name: 'Host as IPv6', text: get('Host: [::1]:80\r\n') },
  { name: 'absolute form with another Host', text: `GET http://b.example/x?y HTTP/1.1\r\n${HOST}\r\n` },
  { name: 'absolute form without Host', text: 'GET http://b.example/x HTTP/1.1\r\n\r\n' },
  {
    name: 'absolute form with a user',
    text: line('GET http://u@b.example/ HTTP/1.1'),
    stricter: 'RFC 9110 4.2.4: refused',
  },
  {
    name: 'absolute form without authority',
    text: line('GET http:///x HTTP/1.1'),
    stricter: 'http has no empty host (RFC 9110 4.2.1)',
  },
  {
    name: 'absolute form of another scheme',
    text: line('GET ftp://b.example/x HTTP/1.1'),
    stricter: 'no scheme this proxy serves',
  },
];

const LINES: readonly Vector[] = [
  { name: 'request line with tabs', text: line('GET\t/\tHTTP/1.1') },
  { name: 'request line with two spaces', text: line('GET  / HTTP/1.1'), stricter: 'one space (RFC 9112 3)' },
  { name: 'request line with a space behind the version', text: line('GET / HTTP/1.1 ') },
  { name: 'request line led by a space', text: line(' GET / HTTP/1.1') },
  { name: 'request line without version', text: 'GET /\r\n\r\n', stricter: 'no HTTP/0.9' },
  { name: 'target with a space', text: line('GET /a b HTTP/1.1') },
  { name: 'target with a tab', text: line('GET /a\tb HTTP/1.1') },
  { name: 'target with a NUL', text: line('GET /a\0b HTTP/1.1') },
  { name: 'target with DEL', text: line('GET /a\x7fb HTTP/1.1') },
  { name: 'target beyond ASCII', text: line('GET /\xe4 HTTP/1.1') },
  {
    name: 'target with a fragment',
    text: line('GET /a#b HTTP/1.1'),
    stricter: 'a target has no fragment (RFC 9112 3.2)',
  },
  { name: 'target with brackets', text: line('GET /a?b[]=1|2 HTTP/1.1') },
  { name: 'target of two slashes', text: line('GET //b.example/x HTTP/1.1') },
  { name: 'target without slash', text: line('GET index.html HTTP/1.1') },
  {
    name: 'asterisk on GET',
    text: line('GET * HTTP/1.1'),
    stricter: 'only OPTIONS has the asterisk form (RFC 9112 3.2.4)',
  },
  { name: 'asterisk on OPTIONS', text: line('OPTIONS * HTTP/1.1') },
  { name: 'method with a colon', text: line('GE:T / HTTP/1.1') },
  { name: 'version 1.2', text: line('GET / HTTP/1.2') },
  { name: 'version 2.0', text: line('GET / HTTP/2.0'), stricter: 'only 1.0 and 1.1 (505)' },
  { name: 'version 0.9', text: line('GET / HTTP/0.9'), stricter: 'only 1.0 and 1.1 (505)' },
  { name: 'version 1.10', text: line('GET / HTTP/1.10') },
  { name: 'version 01.1', text: line('GET / HTTP/01.1') },
  { name: 'version in lower case', text: line('GET / http/1.1') },
  { name: 'version with a comma', text: line('GET / HTTP/1,1') },
  { name: 'preface of HTTP/2', text: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  { name: 'empty line before the request', text: `\r\n${SMUGGLED}` },
  { name: 'LF before the request', text: `\n${SMUGGLED}`, stricter: 'only CRLF is an empty line' },
  {
    name: 'three empty lines before the request',
    text: `\r\n\r\n\r\n${SMUGGLED}`,
    stricter: 'one empty line is skipped (RFC 9112 2.2: at least one)',
  },
  { name: 'NUL before the request', text: `\0${SMUGGLED}` },
  { name: 'byte order mark before the request', text: `\xef\xbb\xbf${SMUGGLED}` },
];

const PIPELINES: readonly Vector[] = [
  { name: 'two requests', text: get(HOST) },
  { name: 'a body and a request', text: `${post('Content-Length: 3\r\n', 'abc')}${SMUGGLED}` },
  {
    name: 'a body shorter than what follows',
    text: `${post('Content-Length: 1\r\n', 'a')}bc${SMUGGLED}`,
    wider: 'any token is a method (RFC 9110 9.1); Node has a list',
  },
  { name: 'an empty line behind a body', text: `${post('Content-Length: 3\r\n', 'abc')}\r\n${SMUGGLED}` },
  { name: 'HTTP/1.0 without keep-alive', text: `GET / HTTP/1.0\r\n${HOST}\r\n` },
];

/** All vectors. */
export const CORPUS: readonly Vector[] = [
  ...FRAMING,
  ...LENGTHS,
  ...CHUNKS,
  ...FIELDS,
  ...HOSTS,
  ...LINES,
  ...PIPELINES,
];
