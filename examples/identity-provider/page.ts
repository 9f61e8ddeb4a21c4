/** A page that loads nothing from anywhere. `body`: HTML. */
export const page = (title: string, body: string): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 24em; margin: 4em auto; padding: 0 1em }
input, button { font: inherit; padding: .3em .6em }
</style>
</head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

/** Text, for a page. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
