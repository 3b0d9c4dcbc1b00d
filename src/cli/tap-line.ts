/** A request or a connection in one line. */
import { printable } from '../base/printable.ts';

type Fields = Readonly<Record<string, string | number | boolean>>;

/** @param time RFC 3339, of which the date is left out @param fields those of the access log */
export function tapLine(time: string, kind: 'request' | 'connection', proxy: string, fields: Fields): string {
  const text = (name: string) => (fields[name] === undefined ? '' : printable(String(fields[name])));
  const ends = `${endOf(fields, 'src')} > ${endOf(fields, 'dst')}`;
  const error = text('error') === '' ? '' : `error="${text('error')}"`;
  const flags = text('response_flags') === '-' ? '' : text('response_flags');
  // What could not be read as a request has no end to measure to.
  const duration = text('duration') === '' ? '' : `${text('duration')}ms`;
  const what =
    kind === 'request'
      ? [text('method'), text('authority') + text('path'), text('response_code'), flags, duration, error]
      : [text('direction') || 'connection', secured(fields), bytes(fields), text('duration'), error];
  return [time.slice(11, 23), ends, ...what, `@${proxy}`].filter((part) => part !== '').join('  ');
}

/** Workload and namespace, else its identity, else its address. */
function endOf(fields: Fields, side: 'src' | 'dst'): string {
  const [workload, namespace] = [fields[`${side}.workload`], fields[`${side}.namespace`]];
  if (workload !== undefined) return printable(`${workload}.${namespace ?? ''}`);
  return printable(
    String(fields[`${side}.service`] ?? fields[`${side}.identity`] ?? fields[`${side}.addr`] ?? 'unknown'),
  );
}

function secured(fields: Fields): string {
  if (fields['src.identity'] !== undefined) return 'mTLS';
  // What found no way out has sent nothing, not in plaintext either.
  return fields['direction'] === 'outbound' && fields['error'] !== undefined ? '' : 'plaintext';
}

function bytes(fields: Fields): string {
  const { bytes_sent: sent, bytes_recv: received } = fields;
  return sent === undefined ? '' : `sent=${sent}B recv=${received ?? 0}B`;
}
