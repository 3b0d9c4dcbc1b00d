/** Objects with open places (src/install/template.ts) as the text of a Helm template. */
import {
  Conditional,
  isList,
  JsonTextRef,
  NAMESPACE_PATH,
  TextTemplate,
  ValueRef,
} from '../../src/install/template.ts';

/** The documents of one template file. */
export function helmTemplate(objects) {
  return `${objects.map((object) => document(object)).join('')}`;
}

function document(object) {
  if (!(object instanceof Conditional)) return `---\n${lines(object, 0).join('\n')}\n`;
  return `{{- if .Values.${object.path} }}\n${document(object.node)}{{- end }}\n`;
}

/** The lines of a map or list at an indentation. */
function lines(node, depth) {
  const indent = '  '.repeat(depth);
  if (isList(node)) return node.flatMap((child) => guarded(child, (inner) => listItem(inner, depth, indent)));
  return Object.entries(node).flatMap(([key, child]) => guarded(child, (inner) => field(key, inner, depth, indent)));
}

function guarded(node, write) {
  if (!(node instanceof Conditional)) return write(node);
  return [`{{- if .Values.${node.path} }}`, ...write(node.node), '{{- end }}'];
}

function field(key, node, depth, indent) {
  const name = /^[A-Za-z_][\w./-]*$/.test(key) ? key : JSON.stringify(key);
  if (isBlock(node)) return [`${indent}${name}:`, ...lines(node, depth + 1)];
  return [`${indent}${name}: ${scalar(node)}`];
}

function listItem(node, depth, indent) {
  if (!isBlock(node)) return [`${indent}- ${scalar(node)}`];
  const [first, ...rest] = lines(node, depth + 1);
  // A condition cannot share the line of the dash.
  if (first.startsWith('{{')) return [`${indent}-`, first, ...rest];
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

function isBlock(node) {
  if (
    typeof node !== 'object' ||
    node instanceof ValueRef ||
    node instanceof TextTemplate ||
    node instanceof JsonTextRef
  )
    return false;
  return Object.keys(node).length > 0;
}

function scalar(node) {
  if (node instanceof ValueRef)
    return node.path === NAMESPACE_PATH ? '{{ .Release.Namespace }}' : `{{ toJson ${pathOf(node)} }}`;
  if (node instanceof JsonTextRef) return `{{ toJson .Values.${node.path} | quote }}`;
  if (node instanceof TextTemplate) {
    const inner = node.parts.map((part) =>
      typeof part === 'string' ? JSON.stringify(part).slice(1, -1) : `{{ ${pathOf(part)} }}`,
    );
    return `"${inner.join('')}"`;
  }
  return JSON.stringify(node);
}

function pathOf(ref) {
  return ref.path === NAMESPACE_PATH ? '.Release.Namespace' : `.Values.${ref.path}`;
}
