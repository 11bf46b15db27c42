/**
 * Writes rows as CSV (RFC 4180).
 *
 * Spreadsheets evaluate texts that begin like a formula. Such a token gets an apostrophe as a
 * prefix, which marks it as text. Some spreadsheets accept full-width signs as well.
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
