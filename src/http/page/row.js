// One song of the list. Text becomes text, never markup.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function icon(name) {
  const create = (tag) => document.createElementNS('http://www.w3.org/2000/svg', tag);
  const svg = create('svg');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(create('use'));
  svg.firstChild.setAttribute('href', `#i-${name}`);
  return svg;
}

export function row({ node: song, similarityPercent, highlights = [] }) {
  const found = new Set(highlights.flatMap((text) => [...text.matchAll(/<mark>(.*?)<\/mark>/g)].map(([, word]) => word.toLowerCase())));
  const title = song.title || 'Untitled';
  const heading = el('h2', { id: `title-${song.id}`, dir: 'auto' }, ...marked(title, found));
  const act = (name, label, ...children) => el('button', { type: 'button', className: name, 'data-act': name, ariaLabel: `${label} ${title}` }, ...children);
  const toggle = (name, label) => Object.assign(act(name, label, icon(name)), { title: label, ariaPressed: 'false' });
  const about = [song.band, song.year, song.album !== song.title && song.album].filter(Boolean);
  return el('li', {},
    el('article', { tabIndex: -1, 'data-id': song.id, 'aria-labelledby': heading.id },
      match(similarityPercent),
      el('div', { className: 'song' },
        heading,
        about.length && el('p', { className: 'by-line' }, ...joined(about, found)),
        song.description && el('p', { className: 'said', dir: 'auto' }, ...marked(song.description, found)),
        facts(song, found)),
      el('div', { className: 'actions' }, act('kin', 'More like this:', 'More like this'), toggle('like', 'Like'), toggle('avoid', 'Avoid'))));
}

/** The text with the words marked that a search went by. */
function marked(text, found) {
  return text.split(/([\p{L}\p{M}\p{N}]+)/u).map((part) => (found.has(part.toLowerCase()) ? el('mark', { textContent: part }) : part));
}

// Each part has its own direction, so that a Hebrew band does not turn an English album round.
function joined(parts, found) {
  return parts.flatMap((part, index) => [index ? ' · ' : '', el('bdi', {}, ...marked(String(part), found))]);
}

/** `undefined` where nothing was compared, `null` where only words were. */
function match(percent) {
  if (percent === undefined) return '';
  if (percent === null) return el('div', { className: 'match' }, el('small', { textContent: 'found by its words' }));
  const meter = el('div', { className: 'meter' });
  meter.style.setProperty('--level', `${percent}%`);
  return el('div', { className: 'match' }, el('b', { textContent: `${percent.toFixed(1)}%` }), el('span', { className: 'sr', textContent: ' similar' }), meter);
}

function facts(song, found) {
  const only = (name, value, text) => el('button', { type: 'button', 'data-act': name, 'data-value': value, title: `Only ${value}`, dir: 'auto' }, ...marked(text, found));
  const styles = [song.genre, song.subgenre !== song.genre && song.subgenre].filter(Boolean);
  const parts = [
    song.key && `${song.key.replace('#', '♯')}${song.mode ? ` ${String(song.mode).toLowerCase()}` : ''}`,
    song.tempo && `${Math.round(song.tempo)} bpm`,
    typeof song.energy === 'number' && `energy ${Math.round(song.energy * 100)}%`,
    song.durationMs && `${Math.floor(song.durationMs / 60000)}:${String(Math.floor(song.durationMs / 1000) % 60).padStart(2, '0')}`,
  ].filter(Boolean);
  return el('div', { className: 'facts' },
    song.genre && only('genre', song.genre, styles.join(' / ')),
    ...parts.map((part) => el('bdi', { textContent: part })),
    el('span', { className: 'moods' }, ...song.moods.slice(0, 4).map((mood) => only('mood', mood, mood))));
}
