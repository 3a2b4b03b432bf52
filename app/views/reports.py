"""Reports."""

import streamlit as st

st.title("Reports")
