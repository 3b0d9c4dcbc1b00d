/** An archive of text files in memory (POSIX.1-1988 `ustar`), as `tar` reads it. */

export interface ArchivedFile {
  /** With folders, up to 100 bytes; what is longer is cut. */
  readonly name: string;
  readonly content: Buffer;
}

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;

/** @param atMs when the files were made, by wall clock */
export function tarArchive(files: readonly ArchivedFile[], atMs: number): Buffer {
  const parts = files.flatMap(({ name, content }) => {
    const rest = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
    return [header(name, content.length, atMs), content, Buffer.alloc(rest)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function header(name: string, bytes: number, atMs: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  Buffer.from(name, 'utf8').subarray(0, NAME_BYTES).copy(block, 0);
  block.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  block.write(`${octal(bytes, 11)}\0${octal(Math.floor(atMs / 1000), 11)}\0`, 124, 'latin1');
  // The sum is made as if its own field were blanks.
  block.write('        0', 148, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}
