/**
 * A header field: name and value, one character per byte (latin1). Pseudo-headers (`:method`, ...) are ordinary entries
 * that come first.
 */
export type Header = readonly [name: string, value: string];
