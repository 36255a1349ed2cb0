// The search page: state in the address, songs from GraphQL, text only ever as text.

const pageSize = 20;
const typingPause = 220;
const answerWithin = 20_000;
const keys = ['C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B'];
const bounds = { year: ['Year', '', 9999], tempo: ['Tempo', 'in beats per minute', 999], energy: ['Energy', 'in percent', 100] };
const ranges = Object.keys(bounds);
const examples = ['upbeat rock music', 'slow piano for a rainy evening', 'dark electronic, driving bass', 'acoustic songs about leaving home', 'late-night jazz', 'summer song to dance to'];

const hits = `fragment Hits on HitConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  info { space complete degraded tookMs }
  edges { similarityPercent node { id title ... on Song { band album genre subgenre year tempo key mode energy durationMs moods } } }
}`;
const documents = {
  Search: `query Search($query: String!, $where: ContentFilter, $after: String) {
  hits: hybridSearch(query: $query, kinds: [SONG], where: $where, first: ${pageSize}, after: $after) { ...Hits }
}
${hits}`,
  Recommend: `query Recommend($query: String, $like: [Example!], $avoid: [Example!], $where: ContentFilter, $after: String) {
  hits: recommend(query: $query, like: $like, avoid: $avoid, kind: SONG, where: $where, first: ${pageSize}, after: $after) { ...Hits }
}
${hits}`,
  Names: `query Names($ids: [ID!]!) { nodes(ids: $ids) { id ... on Song { title band } } }`,
  Catalogue: `query Catalogue { stats { kinds { kind rows embedded } } }`,
};

const $ = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString('en');
const q = $('q');
const results = $('results');
const filterForm = $('filter-form');
const songs = new Map();
const genres = new Set();

let state = read(location.search);
let current = null;
let answered = null;
let cursor = null;
let typingTimer = 0;
let waitTimer = 0;
let networkFailures = 0;
let lastChange = '';

function read(search) {
  const params = new URLSearchParams(search);
  const ids = (name) => [...new Set(params.getAll(name).filter((id) => /^song:[\w-]+$/i.test(id)))];
  const one = (name, allowed) => (allowed.includes(params.get(name)) ? params.get(name) : '');
  const found = {
    q: (params.get('q') ?? '').slice(0, 500),
    by: params.get('by') === 'sound' ? 'sound' : 'words',
    like: ids('like'),
    avoid: ids('avoid'),
    genre: params.get('genre') ?? '',
    key: one('key', keys),
    mode: one('mode', ['major', 'minor']),
  };
  for (const name of ranges) {
    const [, from, to] = /^(\d*\.?\d*)-(\d*\.?\d*)$/.exec(params.get(name)) ?? [];
    found[name] = [from, to].map((bound) => (Number(bound) >= 0 ? bound : ''));
  }
  return found;
}

function address() {
  const params = new URLSearchParams();
  const set = (name, value) => value && params.append(name, value);
  set('q', state.q.trim());
  set('by', state.by === 'sound' && 'sound');
  for (const name of ['like', 'avoid']) state[name].forEach((id) => set(name, id));
  for (const name of ['genre', 'key', 'mode']) set(name, state[name]);
  for (const name of ranges) set(name, state[name].some(Boolean) && state[name].join('-'));
  return params.size ? `/?${params.toString().replaceAll('%3A', ':')}` : '/';
}

// A run of keystrokes is one step of Back; any other change is its own.
function change(part, kind) {
  state = { ...state, ...part };
  const url = address();
  if (url !== location.pathname + location.search) {
    history[kind === 'typing' && lastChange === 'typing' ? 'replaceState' : 'pushState'](null, '', url);
    lastChange = kind;
  }
  clearTimeout(typingTimer);
  typingTimer = setTimeout(search, kind === 'typing' ? typingPause : 0);
  show();
}

function where() {
  const song = {};
  const wanted = state.genre.split(',').map((text) => text.trim()).filter(Boolean);
  if (wanted.length) song.genre = wanted.length > 1 ? { in: wanted } : { eq: wanted[0] };
  for (const name of ranges) {
    const range = {};
    ['gte', 'lte'].forEach((end, index) => {
      const bound = Number(state[name][index]);
      if (state[name][index]) range[end] = name === 'energy' ? bound / 100 : name === 'year' ? Math.trunc(bound) : bound;
    });
    if (Object.keys(range).length) song[name] = range;
  }
  if (state.key) song.key = { eq: state.key };
  if (state.mode) song.mode = state.mode.toUpperCase();
  return Object.keys(song).length ? { song } : null;
}

function request() {
  const query = state.q.trim();
  const steered = state.like.length + state.avoid.length > 0;
  if (!query && !steered) return null;
  const variables = { where: where() };
  if (query) variables.query = query;
  if (!steered && state.by === 'words') return { operation: 'Search', variables };
  const chosen = (ids) => ids.map((id) => ({ id }));
  if (steered) Object.assign(variables, { like: chosen(state.like), avoid: chosen(state.avoid) });
  return { operation: 'Recommend', variables };
}

class Trouble extends Error {
  constructor(message, about = {}) {
    super(message);
    Object.assign(this, about);
  }
}

async function graphql(operation, variables, signal) {
  const token = sessionStorage.getItem('kindred.token');
  const limit = AbortSignal.timeout(answerWithin);
  let response;
  let answer;
  try {
    response = await fetch('/graphql', {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/graphql-response+json, application/json;q=0.9',
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query: documents[operation], variables, operationName: operation }),
      signal: AbortSignal.any([signal, limit].filter(Boolean)),
    });
    answer = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new Trouble(`The server did not answer within ${answerWithin / 1000} seconds.`, { offline: true });
    throw new Trouble('The server cannot be reached.', { offline: true });
  }
  let body = null;
  try {
    body = JSON.parse(answer);
  } catch {
    // Not GraphQL; the status below says enough.
  }
  const first = body?.errors?.[0];
  const code = first?.extensions?.code;
  if (response.status === 429 || response.status === 503) {
    throw new Trouble(response.status === 429 ? 'That was too many searches at once.' : 'The server is busy.', { wait: retryAfter(response) });
  }
  if (response.status === 401 || code === 'UNAUTHENTICATED') {
    const reason = token ? 'The server did not accept the token.' : 'This server asks for a token.';
    throw new Trouble(`${reason} Paste one here; it is kept until you close the tab.`, { token: true });
  }
  if (first && !body.data?.hits) throw new Trouble(String(first.message), { code });
  if (!body?.data) throw new Trouble(`The server answered with status ${response.status}, and not with GraphQL.`);
  return body.data;
}

function retryAfter(response) {
  const value = response.headers.get('Retry-After') ?? '';
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 1), 120) : 5;
}

async function search() {
  clearTimeout(typingTimer);
  clearTimeout(waitTimer);
  current?.abort();
  const asked = request();
  const reversed = ranges.find((name) => state[name].every(Boolean) && Number(state[name][0]) > Number(state[name][1]));
  if (!asked || reversed) {
    current = null;
    clearTrouble();
    draw([]);
    $('empty').hidden = Boolean(asked);
    say(asked ? `No ${reversed} lies between ${state[reversed][0]} and ${state[reversed][1]}.` : where() ? 'The filters apply to your next search.' : '');
    return;
  }
  $('empty').hidden = true;
  const mine = (current = new AbortController());
  results.setAttribute('aria-busy', 'true');
  const slow = setTimeout(() => say('Searching…'), 400);
  try {
    const data = await graphql(asked.operation, asked.variables, mine.signal);
    if (mine !== current) return;
    clearTrouble();
    const kept = focusedRow();
    answered = asked;
    draw(data.hits.edges);
    page(data.hits);
    restoreFocus(kept);
  } catch (trouble) {
    if (mine !== current) return;
    draw([]);
    say('');
    complain(trouble, search);
  } finally {
    clearTimeout(slow);
    if (mine === current) results.removeAttribute('aria-busy');
  }
}

async function more() {
  const asked = answered;
  if (!cursor || results.hasAttribute('aria-busy') || $('more').ariaDisabled === 'true') return;
  const mine = (current = new AbortController());
  const byKeyboard = document.activeElement === $('more');
  $('more').ariaDisabled = 'true';
  try {
    const data = await graphql(asked.operation, { ...asked.variables, after: cursor }, mine.signal);
    if (mine !== current) return;
    clearTrouble();
    const before = results.children.length;
    results.append(...data.hits.edges.map(row));
    page(data.hits);
    if (byKeyboard) focusRow(before);
  } catch (trouble) {
    if (mine !== current) return;
    if (/cursor/i.test(trouble.code ?? '')) {
      await search();
      say('The catalogue has changed, so the list starts again.');
    } else {
      complain(trouble, more);
    }
  } finally {
    $('more').ariaDisabled = 'false';
  }
}

function page({ edges, pageInfo, totalCount, info }) {
  cursor = pageInfo?.hasNextPage ? pageInfo.endCursor : null;
  $('more').hidden = !cursor;
  if (info?.space) $('space').textContent = `embedding space ${info.space}`;
  for (const { node } of edges) if (node.genre) genres.add(node.genre);
  $('genres').replaceChildren(...[...genres].sort().map((genre) => el('option', { value: genre })));
  say([counted(results.children.length, totalCount), info?.degraded && 'The embedding model does not answer, so only words were compared.', info?.complete === false && 'There may be more that were not looked at.'].filter(Boolean).join(' '));
}

function counted(shown, total) {
  if (!shown) return where() ? 'No song matches. Try fewer filters.' : 'No song matches. Try other words.';
  const count = total > shown ? `${number(shown)} of ${number(total)} songs` : `${number(shown)} ${shown === 1 ? 'song' : 'songs'}`;
  const toward = [state.q.trim() && `“${state.q.trim()}”`, state.like.length && 'what you like'].filter(Boolean).join(' and ');
  return `${count}${toward && ` for ${toward}`}${state.avoid.length ? ', away from what you avoid' : ''}.`;
}

function say(text) {
  if ($('status').textContent !== text) $('status').textContent = text;
}

function complain(trouble, again) {
  const known = trouble instanceof Trouble;
  if (!known) console.error(trouble);
  $('trouble').hidden = false;
  $('trouble-text').textContent = known ? trouble.message : 'Something on this page went wrong. Reload it to go on.';
  $('token-form').hidden = !trouble.token;
  $('retry').hidden = Boolean(trouble.token);
  $('retry').onclick = again;
  if (trouble.token) $('token').focus();
  networkFailures = trouble.offline ? networkFailures + 1 : 0;
  const wait = trouble.wait ?? (trouble.offline ? Math.min(2 ** networkFailures, 15) : 0);
  if (wait) countDown(wait, again);
  else $('trouble-wait').textContent = '';
}

// Outside the alert, so that a screen reader is not told every second.
function countDown(seconds, again) {
  $('trouble-wait').textContent = `Trying again in ${seconds} s.`;
  waitTimer = setTimeout(() => (seconds > 1 ? countDown(seconds - 1, again) : again()), 1000);
}

function clearTrouble() {
  clearTimeout(waitTimer);
  networkFailures = 0;
  $('trouble').hidden = true;
  $('trouble-text').textContent = '';
  $('forget').hidden = !sessionStorage.getItem('kindred.token');
}

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

function draw(edges) {
  cursor = null;
  $('more').hidden = true;
  results.replaceChildren(...edges.map(row));
  results.querySelector('article')?.setAttribute('tabindex', '0');
}

function row({ node, similarityPercent }) {
  songs.set(node.id, node);
  const title = node.title || 'Untitled';
  const heading = el('h2', { id: `title-${node.id}`, dir: 'auto', textContent: title });
  const act = (name, label, child) => el('button', { type: 'button', className: name, 'data-act': name, ariaLabel: `${label} ${title}` }, child);
  const toggle = (name, label) => {
    const button = act(name, label, icon(name));
    return Object.assign(button, { title: label, ariaPressed: String(state[name].includes(node.id)) });
  };
  const about = [node.band, node.year, node.album !== node.title && node.album].filter(Boolean);
  return el('li', {},
    el('article', { tabIndex: -1, 'data-id': node.id, 'aria-labelledby': heading.id },
      match(similarityPercent),
      el('div', { className: 'song' }, heading, about.length ? el('p', { className: 'by-line' }, ...joined(about)) : '', facts(node)),
      el('div', { className: 'actions' }, act('kin', 'More like this:', 'More like this'), toggle('like', 'Like'), toggle('avoid', 'Avoid'))));
}

// Each part has its own direction, so that a Hebrew band does not turn an English album round.
function joined(parts) {
  return parts.flatMap((part, index) => [index ? ' · ' : '', el('bdi', { textContent: part })]).filter(Boolean);
}

function match(percent) {
  if (typeof percent !== 'number') return el('div', { className: 'match' }, el('small', { textContent: 'found by its words' }));
  const meter = el('div', { className: 'meter' });
  meter.style.setProperty('--level', `${percent}%`);
  return el('div', { className: 'match' }, el('b', { textContent: `${percent.toFixed(1)}%` }), el('span', { className: 'sr', textContent: ' similar' }), meter);
}

function facts(song) {
  const parts = [
    song.key && `${song.key.replace('#', '♯')}${song.mode ? ` ${String(song.mode).toLowerCase()}` : ''}`,
    song.tempo && `${Math.round(song.tempo)} bpm`,
    typeof song.energy === 'number' && `energy ${Math.round(song.energy * 100)}%`,
    song.durationMs && `${Math.floor(song.durationMs / 60000)}:${String(Math.floor(song.durationMs / 1000) % 60).padStart(2, '0')}`,
    song.moods?.slice(0, 4).join(', '),
  ].filter(Boolean);
  const line = el('div', { className: 'facts' }, ...parts.map((part) => el('bdi', { textContent: part })));
  const styles = [song.genre, song.subgenre !== song.genre && song.subgenre].filter(Boolean);
  if (song.genre) {
    line.prepend(el('button', { type: 'button', 'data-act': 'genre', title: `Only ${song.genre}`, dir: 'auto', textContent: styles.join(' / ') }));
  }
  return line;
}

// Brings the controls in line with the state.
function show() {
  if (q.value.trim() !== state.q.trim()) q.value = state.q;
  document.querySelector(`#by [value=${state.by}]`).checked = true;
  const picks = [...state.like.map((id) => ['like', id]), ...state.avoid.map((id) => ['avoid', id])];
  $('by').hidden = picks.length > 0;
  $('picks').hidden = !picks.length;
  $('pick-list').replaceChildren(...picks.map(pick));
  const fields = filterForm.elements;
  for (const name of ['genre', 'key', 'mode']) if (fields[name].value !== state[name]) fields[name].value = state[name];
  for (const name of ranges) {
    state[name].forEach((bound, index) => {
      const field = fields[`${name}-${index ? 'to' : 'from'}`];
      if (Number(field.value) !== Number(bound) || field.value === '') field.value = bound;
    });
  }
  const set = ['genre', 'key', 'mode'].filter((name) => state[name]).length + ranges.filter((name) => state[name].some(Boolean)).length;
  $('filter-count').textContent = set ? `· ${set} set` : '';
  $('filter-clear').hidden = !set;
  for (const button of results.querySelectorAll('[aria-pressed]')) {
    button.ariaPressed = String(state[button.dataset.act].includes(button.closest('article').dataset.id));
  }
  document.title = state.q.trim() ? `${state.q.trim()} · Kindred` : 'Kindred';
}

function pick([kind, id]) {
  const song = songs.get(id);
  const name = song ? [song.title, song.band].filter(Boolean).join(', ') : 'a song';
  const remove = el('button', { type: 'button', 'aria-label': `Remove ${name}`, 'data-kind': kind, 'data-id': id }, icon('close'));
  return el('li', { className: `pick ${kind}` }, icon(kind), el('span', { className: 'sr', textContent: kind === 'like' ? 'Like' : 'Avoid' }), el('span', { dir: 'auto', textContent: name }), remove);
}

async function nameThePicks() {
  const ids = [...state.like, ...state.avoid].filter((id) => !songs.has(id));
  if (!ids.length) return;
  try {
    const { nodes } = await graphql('Names', { ids });
    for (const node of nodes) if (node) songs.set(node.id, node);
    show();
  } catch {
    // The search itself reports the trouble; a chip without its name still works.
  }
}

async function nameTheCatalogue() {
  try {
    const { stats } = await graphql('Catalogue', {});
    const row = stats.kinds.find(({ kind }) => kind === 'SONG');
    if (!row) return;
    const waiting = row.rows - row.embedded;
    $('catalogue').textContent = `${number(row.rows)} ${row.rows === 1 ? 'song' : 'songs'}${waiting > 0 ? `, ${number(waiting)} not embedded yet` : ''}`;
  } catch {
    // A footer is not worth a complaint.
  }
}

const articles = () => [...results.querySelectorAll('article')];

function focusRow(index) {
  const rows = articles();
  const target = rows[Math.max(0, Math.min(index, rows.length - 1))];
  for (const row of rows) row.tabIndex = row === target ? 0 : -1;
  target?.focus();
}

function focusedRow() {
  const article = document.activeElement?.closest?.('article');
  return article && { id: article.dataset.id, act: document.activeElement.dataset.act };
}

function restoreFocus(kept) {
  if (!kept) return;
  const article = results.querySelector(`[data-id="${CSS.escape(kept.id)}"]`);
  const button = article && kept.act && article.querySelector(`[data-act=${kept.act}]`);
  if (button) button.focus();
  else if (articles().length) focusRow(article ? articles().indexOf(article) : 0);
  else q.focus();
}

function act(name, id) {
  if (name === 'kin') {
    scrollTo(0, 0);
    return change({ q: '', like: [id], avoid: [] }, 'pick');
  }
  if (name === 'genre') return change({ genre: songs.get(id).genre }, 'filter');
  const other = name === 'like' ? 'avoid' : 'like';
  const chosen = state[name].includes(id) ? state[name].filter((each) => each !== id) : [...state[name], id];
  return change({ [name]: chosen, [other]: state[other].filter((each) => each !== id) }, 'pick');
}

q.addEventListener('input', () => change({ q: q.value }, 'typing'));
q.addEventListener('change', () => (lastChange = ''));
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  lastChange = '';
  search();
});
$('by').addEventListener('change', (event) => change({ by: event.target.value }, 'by'));

filterForm.addEventListener('submit', (event) => event.preventDefault());
filterForm.addEventListener('input', () => {
  const value = (name) => filterForm.elements[name].value;
  const part = { genre: value('genre').trim(), key: value('key'), mode: value('mode') };
  for (const name of ranges) part[name] = [value(`${name}-from`), value(`${name}-to`)];
  change(part, 'typing');
});
filterForm.addEventListener('change', () => (lastChange = ''));
filterForm.addEventListener('reset', (event) => {
  event.preventDefault();
  const { genre, key, mode, year, tempo, energy } = read('');
  change({ genre, key, mode, year, tempo, energy }, 'filter');
  filterForm.elements.genre.focus();
});

results.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) act(button.dataset.act, button.closest('article').dataset.id);
});
results.addEventListener('focusin', (event) => {
  const focused = event.target.closest('article');
  for (const article of articles()) article.tabIndex = article === focused ? 0 : -1;
});
$('pick-list').addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const { kind, id } = button.dataset;
  change({ [kind]: state[kind].filter((each) => each !== id) }, 'pick');
  ($('pick-list').querySelector('button') ?? q).focus();
});
$('pick-clear').addEventListener('click', () => {
  change({ like: [], avoid: [] }, 'pick');
  q.focus();
});
$('more').addEventListener('click', more);
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('kindred.token', $('token').value.trim());
  $('token').value = '';
  search();
  nameTheCatalogue();
  nameThePicks();
});
$('forget').addEventListener('click', () => {
  sessionStorage.removeItem('kindred.token');
  $('forget').hidden = true;
  search();
});
addEventListener('online', () => !$('trouble').hidden && search());

for (const link of [$('home'), $('examples')]) {
  link.addEventListener('click', (event) => {
    const target = event.target.closest('a');
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    change(read(new URL(target.href).search), 'link');
    q.focus();
  });
}

addEventListener('popstate', () => {
  state = read(location.search);
  lastChange = '';
  show();
  nameThePicks();
  search();
});

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const inField = event.target.closest('input, select, textarea');
  const article = event.target.closest('article');
  const handled = () => event.preventDefault();
  if (event.key === '/' && !inField) {
    handled();
    q.select();
    q.focus();
  } else if (event.target === q && event.key === 'ArrowDown' && articles().length) {
    handled();
    focusRow(0);
  } else if (event.target === q && event.key === 'Escape' && q.value) {
    handled();
    q.value = '';
    change({ q: '' }, 'clear');
  } else if (article) {
    rowKey(event, article, handled);
  }
});

function rowKey(event, article, handled) {
  const rows = articles();
  const index = rows.indexOf(article);
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
  const key = event.key.toLowerCase();
  if (to !== undefined) {
    handled();
    if (to < 0) q.focus();
    else if (to >= rows.length && !$('more').hidden) $('more').focus();
    else focusRow(to);
  } else if (key === 'escape') {
    handled();
    q.focus();
  } else if (event.target === article && ['enter', 'l', 'a'].includes(key)) {
    handled();
    act({ enter: 'kin', l: 'like', a: 'avoid' }[key], article.dataset.id);
  }
}

for (const [name, [label, unit, max]] of Object.entries(bounds)) {
  const field = (end, placeholder) =>
    el('input', { name: `${name}-${end}`, type: 'number', inputMode: 'decimal', min: 0, max, step: 'any', placeholder, ariaLabel: `${[label, unit].filter(Boolean).join(' ')}, ${end}` });
  const span = el('span', { className: 'range' }, field('from', 'from'), el('span', { textContent: '–', ariaHidden: 'true' }), field('to', 'to'));
  $('filter-clear').before(el('fieldset', { className: 'group' }, el('legend', {}, `${label} `, el('small', { textContent: unit })), span));
}
filterForm.elements.key.append(...keys.map((key) => el('option', { value: key, textContent: key.replace('#', '♯') })));
$('examples').append(...examples.map((text) => el('li', {}, el('a', { href: `/?q=${encodeURIComponent(text)}`, textContent: text }))));
$('filters').open = matchMedia('(min-width: 60rem)').matches;
$('forget').hidden = !sessionStorage.getItem('kindred.token');
show();
search();
nameThePicks();
nameTheCatalogue();
if (!location.search && matchMedia('(hover: hover)').matches) q.focus();
