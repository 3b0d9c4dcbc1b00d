/** A value as people write it in manifests. */

const PLAIN = /^[A-Za-z0-9_./*-][A-Za-z0-9_./*@ -]*$/;

export function yamlText(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return value.map((one) => `${indent}- ${nested(one, `${indent}  `).trimStart()}`).join('\n');
  }
  if (typeof value !== 'object' || value === null) return scalar(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  return entries.map(([name, one]) => `${indent}${name}:${below(one, indent)}`).join('\n');
}

function below(value: unknown, indent: string): string {
  const text = nested(value, `${indent}  `);
  return isDeep(value) ? `\n${text}` : ` ${text}`;
}

function nested(value: unknown, indent: string): string {
  return isDeep(value) ? yamlText(value, indent) : yamlText(value);
}

function isDeep(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function scalar(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const isText = PLAIN.test(value) && !/^(?:true|false|null|yes|no|[\d.]+)$/i.test(value) && !value.endsWith(' ');
  return isText ? value : JSON.stringify(value);
}
