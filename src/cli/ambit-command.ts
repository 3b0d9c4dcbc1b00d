/** How this very program is started again. */

/** Program and first arguments: the same Node, with the same options, on the same script. */
export function ambitCommand(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
}
