/**
 * Kubernetes objects with open places. One description serves two readers: `resolveTemplate` fills the places with
 * values (what `ambit install` applies), and scripts/deploy writes them as a Helm chart.
 */

/** A place that takes the value at a path of the values, of whatever type it is. */
export class ValueRef {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** A text with places in it. */
export class TextTemplate {
  readonly parts: readonly (string | ValueRef)[];
  constructor(parts: readonly (string | ValueRef)[]) {
    this.parts = parts;
  }
}

/** A text that holds the value at a path as JSON, which is YAML too. */
export class JsonTextRef {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** A list element, a field or a whole object that is there only when the value at a path is set and not empty. */
export class Conditional {
  readonly path: string;
  readonly node: TemplateNode;
  constructor(path: string, node: TemplateNode) {
    this.path = path;
    this.node = node;
  }
}

export type TemplateNode =
  | string
  | number
  | boolean
  | ValueRef
  | TextTemplate
  | JsonTextRef
  | Conditional
  | readonly TemplateNode[]
  | { readonly [key: string]: TemplateNode };

export type TemplateMap = { readonly [key: string]: TemplateNode };

/** The path that stands for the namespace of the installation, which is not one of the values. */
export const NAMESPACE_PATH = 'namespace';

/** The value at a path such as `image.tag`. */
export function value(path: string): ValueRef {
  return new ValueRef(path);
}

/** The namespace that the mesh is installed in. */
export const INSTALL_NAMESPACE = new ValueRef(NAMESPACE_PATH);

/** A text with values in it: ``text`${value('image.repository')}:${value('image.tag')}` ``. */
export function text(strings: TemplateStringsArray, ...refs: readonly ValueRef[]): TextTemplate {
  const parts: (string | ValueRef)[] = [];
  strings.forEach((piece, index) => {
    if (piece !== '') parts.push(piece);
    const ref = refs[index];
    if (ref !== undefined) parts.push(ref);
  });
  return new TextTemplate(parts);
}

/** The node only when the value at the path is set and not empty. */
export function when(path: string, node: TemplateNode): Conditional {
  return new Conditional(path, node);
}

/** A plain value, as an API server takes it. */
export type PlainNode = string | number | boolean | null | PlainNode[] | { [key: string]: PlainNode };

/**
 * Fills the places.
 * @param values what paths lead into
 * @returns undefined when the node itself is conditional and its condition does not hold
 */
export function resolveTemplate(node: TemplateNode, values: PlainNode): PlainNode | undefined {
  if (typeof node !== 'object') return node;
  if (node instanceof ValueRef) return valueAt(values, node.path);
  if (node instanceof JsonTextRef) return JSON.stringify(valueAt(values, node.path));
  if (node instanceof Conditional) {
    return isSet(valueAt(values, node.path)) ? resolveTemplate(node.node, values) : undefined;
  }
  if (node instanceof TextTemplate) {
    return node.parts.map((part) => (typeof part === 'string' ? part : String(valueAt(values, part.path)))).join('');
  }
  if (isList(node)) return node.map((child) => resolveTemplate(child, values)).filter((child) => child !== undefined);
  const resolved: { [key: string]: PlainNode } = {};
  for (const [key, child] of Object.entries(node)) {
    const plain = resolveTemplate(child, values);
    if (plain !== undefined) resolved[key] = plain;
  }
  return resolved;
}

/** `Array.isArray` does not narrow read-only lists. */
export function isList(node: TemplateNode): node is readonly TemplateNode[] {
  return Array.isArray(node);
}

/** As Helm decides it: false, 0, an empty text, an empty list and an empty map are not set. */
function isSet(plain: PlainNode): boolean {
  if (plain === null || typeof plain !== 'object') return Boolean(plain);
  return Object.keys(plain).length > 0;
}

function valueAt(values: PlainNode, path: string): PlainNode {
  let at: PlainNode | undefined = values;
  for (const key of path.split('.')) {
    at = at !== null && typeof at === 'object' && !Array.isArray(at) ? at[key] : undefined;
    if (at === undefined) throw new RangeError(`no value ${path}`);
  }
  return at;
}
