// Formulas as arithmatex marks them. MathJax 3.2.2 stands in mathjax/, with its licence; its menu,
// which could fetch speech from elsewhere, is off.
window.MathJax = {
  tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]] },
  options: { enableMenu: false, ignoreHtmlClass: ".*|", processHtmlClass: "arithmatex" },
};
