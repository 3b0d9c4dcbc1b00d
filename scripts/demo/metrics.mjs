// Edges of the mesh from the metrics of its proxies.
const SAMPLE = /^(istio_tcp_(?:connections_opened|received_bytes|sent_bytes)_total)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Adds up samples by caller and callee. What both sides report is counted once, as the caller's side saw it. */
export function edgesOf(pages) {
  const edges = new Map();
  for (const line of pages.join('\n').split('\n')) {
    const [, metric, labelText, value] = SAMPLE.exec(line) ?? [];
    if (metric === undefined) continue;
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, name, text]) => [name, text]));
    const secured = labels.connection_security_policy === 'mutual_tls';
    if (labels.reporter !== (secured ? 'source' : 'destination')) continue;
    const key = [labels.source_workload, labels.destination_workload, secured].join(' ');
    const edge = edges.get(key) ?? { labels, secured, connections: 0, toServer: 0, toClient: 0 };
    if (metric.includes('opened')) edge.connections += Number(value);
    else if (metric.includes('received')) edge.toServer += Number(value);
    else edge.toClient += Number(value);
    edges.set(key, edge);
  }
  return [...edges.values()].filter(({ connections }) => connections > 0);
}

/** The edges as rows of a table. */
export function edgeRows(edges) {
  const identity = (principal) => (principal === 'unknown' ? '-' : principal.replace(/^spiffe:\/\//, ''));
  const rows = edges.map(({ labels, secured, connections, toServer, toClient }) => [
    `${labels.source_workload} -> ${labels.destination_workload}`,
    secured ? 'mutual TLS' : 'plaintext',
    String(connections),
    String(toServer),
    String(toClient),
    identity(labels.source_principal),
    identity(labels.destination_principal),
  ]);
  rows.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return [['EDGE', 'SECURITY', 'CONNECTIONS', 'BYTES TO', 'BYTES FROM', 'CALLER', 'CALLEE'], ...rows];
}

/** Rows with columns of one width. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
