"""Plan."""

import streamlit as st

st.title("Plan")
