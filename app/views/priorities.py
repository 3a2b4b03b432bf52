"""Priorities."""

import streamlit as st

st.title("Priorities")
