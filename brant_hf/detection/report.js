// Draws the part of the heat map that is zoomed into. Neighbouring columns are joined by their maximum until there are
// no more than can be seen, so that a short event shows at every zoom.
const data = __DATA__;
const plot = document.getElementById("{plot_id}");
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const values = bytes(data.values);
const edges = new Float64Array(bytes(data.edges).buffer);
const columns = edges.length - 1;

// Plotly gives the ends of an axis as numbers or as text such as "2000-01-01 00:01:02.5", without a time zone.
function milliseconds(end) {
  if (typeof end === "number") return end;
  return Date.parse(end.length > 10 ? end.slice(0, 23).replace(" ", "T") + "Z" : end);
}

// Number of edges from the first on that pass a test.
function countEdges(passes) {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(edges[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

function joined(first, last, width) {
  const count = Math.ceil((last - first) / width);
  const rows = Array.from({ length: data.rows }, () => new Float32Array(count).fill(NaN));
  for (let row = 0; row < data.rows; row++) {
    for (let column = first; column < last; column++) {
      const place = Math.floor((column - first) / width);
      const value = values[row * columns + column];
      if (value !== data.missing && !(rows[row][place] >= value)) rows[row][place] = value;
    }
  }
  return rows;
}

function draw() {
  const [start, stop] = plot.layout.xaxis3.range.map(milliseconds);
  const first = Math.min(Math.max(countEdges((edge) => edge <= start) - 1, 0), columns - 1);
  const last = Math.max(Math.min(countEdges((edge) => edge < stop), columns), first + 1);
  const width = Math.ceil((last - first) / data.drawn_columns);
  const borders = [];
  for (let column = first; column < last; column += width) borders.push(edges[column]);
  borders.push(edges[last]);
  // Not Plotly.restyle, which forgets the type of the axes when it is given new places.
  Object.assign(plot.data[data.trace], { x: borders, z: joined(first, last, width) });
  Plotly.redraw(plot);
}

plot.on("plotly_relayout", draw);
