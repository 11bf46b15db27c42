/**
 * Writes rows as CSV (RFC 4180).
 *
 * A spreadsheet runs a text that begins like a formula: such a token gets an apostrophe
 * before it, which spreadsheets take for "this is text". Some take full-width signs as well.
 */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map(row => row.map(field).join(',') + '\r\n').join('');
}

function field(value: string | number): string {
  if (typeof value === 'number') {
    return String(value);
  }
  const text = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(value) ? `'${value}` : value;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
