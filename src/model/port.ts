/** TCP and UDP port numbers. */

declare const portBrand: unique symbol;
/** A port number from 1 to 65535. */
export type Port = number & { readonly [portBrand]: true };

/** The number as a port; undefined when it is none. */
export function toPort(value: number): Port | undefined {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? (value as Port) : undefined;
}

/** Reads decimal digits as a port; undefined for anything else, leading zeros and signs included. */
export function parsePort(text: string): Port | undefined {
  return /^[1-9]\d{0,4}$/.test(text) ? toPort(Number(text)) : undefined;
}
